import process from "node:process";
import type { ClusterOptions } from "../../support/cluster.ts";
import { networkName, removeNetwork } from "../../support/leftovers.ts";
import { needs, needsFeature } from "../../support/needs.ts";
import { run } from "../../support/run.ts";

const PREFIX_LENGTH = 24;
const BRIDGE_HOST = 254;

export interface Link {
  readonly from: string;
  readonly to: string;
}

/** What no longer gets from one node to another: everything, or only the packet that opens a connection. */
export type Cut = "everything" | "connects";

export function needsNetwork(): boolean {
  const programs = ["ip", "nft"].map(needs);
  return (
    programs.every(Boolean) &&
    needsFeature("root, network namespaces and nft on bridges", () => {
      new Network(["probe"])[Symbol.dispose]();
    })
  );
}

/**
 * Each node in a network namespace of its own, all on one bridge. The clients sit at the bridge's own
 * address, where no cut between nodes reaches them:
 *
 *     n1 ──┐
 *     n2 ──┼── bridge (clients) ── cuts are filters of what it forwards
 *     n3 ──┘
 */
export class Network implements Disposable {
  readonly #name = networkName(process.pid);
  readonly #subnet: string;
  readonly #hosts: ReadonlyMap<string, string>;
  readonly #remove = (): void => removeNetwork(process.pid);

  constructor(ids: readonly string[]) {
    process.once("exit", this.#remove);
    // Runs at the same time must not meet: pids differ.
    this.#subnet = `10.${64 + ((process.pid >> 8) % 128)}.${process.pid & 255}`;
    this.#hosts = new Map(ids.map((id, index) => [id, `${this.#subnet}.${index + 1}`]));
    run("ip", "link", "add", this.#name, "type", "bridge");
    run(
      "ip",
      "address",
      "add",
      `${this.#subnet}.${BRIDGE_HOST}/${PREFIX_LENGTH}`,
      "dev",
      this.#name,
    );
    run("ip", "link", "set", this.#name, "up");
    for (const id of ids) this.#addNode(id);
    this.#addFilters();
  }

  /** The address at which a node listens. */
  host(id: string): string {
    const host = this.#hosts.get(id);
    if (host === undefined) throw new Error(`there is no node ${id}`);
    return host;
  }

  /** Where and how each node of a cluster runs. */
  get placement(): Pick<ClusterOptions, "host" | "wrap"> {
    return { host: (id) => this.host(id), wrap: (id) => this.wrap(id) };
  }

  /** Command before `node`. */
  wrap(id: string): readonly string[] {
    return ["ip", "netns", "exec", this.#namespace(id)];
  }

  cut({ from, to }: Link, what: Cut = "everything"): void {
    const element = `{ ${this.host(from)} . ${this.host(to)} }`;
    run("nft", "add", "element", "bridge", this.#name, what, element);
  }

  heal(): void {
    for (const cut of ["everything", "connects"] satisfies readonly Cut[]) {
      run("nft", "flush", "set", "bridge", this.#name, cut);
    }
  }

  [Symbol.dispose](): void {
    process.off("exit", this.#remove);
    this.#remove();
  }

  #namespace(id: string): string {
    return `${this.#name}-${id}`;
  }

  #addNode(id: string): void {
    const namespace = this.#namespace(id);
    const link = `${this.#name}${id}`;
    const inside = (...args: readonly string[]): string => run("ip", "-n", namespace, ...args);
    run("ip", "netns", "add", namespace);
    run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", namespace);
    run("ip", "link", "set", link, "master", this.#name, "up");
    inside("address", "add", `${this.host(id)}/${PREFIX_LENGTH}`, "dev", "eth0");
    inside("link", "set", "eth0", "up");
    inside("link", "set", "lo", "up");
  }

  #addFilters(): void {
    const rules = `
      table bridge ${this.#name} {
        set everything { type ipv4_addr . ipv4_addr; }
        set connects { type ipv4_addr . ipv4_addr; }
        chain forward {
          type filter hook forward priority 0
          ip saddr . ip daddr @everything drop
          ip saddr . ip daddr @connects tcp flags & (syn | ack) == syn drop
        }
      }`;
    run("nft", rules);
  }
}
