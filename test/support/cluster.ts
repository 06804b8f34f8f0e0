import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { flagOf } from "../../src/core/config.ts";
import type { OptionName } from "../../src/core/config.ts";
import { ClusterNode } from "./cluster-node.ts";
import { freePorts } from "./free-ports.ts";

const CONNECTED_TIMEOUT_MS = 30_000;
const POLL_MS = 50;

export interface ClusterOptions {
  readonly nodes: number;
  /** Options of every node, by their names in the option table. */
  readonly nodeOptions?: Readonly<Partial<Record<OptionName, string>>>;
  /** Variables of one node. */
  readonly nodeEnv?: (id: string) => Readonly<Record<string, string>>;
  /** Command before `node`, e.g. `["faketime", "+60s"]`. */
  readonly wrap?: (id: string) => readonly string[];
  /** Flags of `node` itself. */
  readonly execArgv?: readonly string[];
  /** Where a node listens, instead of loopback. */
  readonly host?: (id: string) => string;
  /** Where a node keeps its data, instead of the cluster's folder. */
  readonly data?: (id: string) => string | undefined;
}

export interface Cluster extends AsyncDisposable {
  /** By id: n1, n2, … */
  readonly nodes: Readonly<Record<string, ClusterNode>>;
  readonly urls: readonly string[];
  readonly folder: string;
  /** Ends all processes and removes their files. */
  stop(): Promise<void>;
}

/** Real processes on loopback; ready, and each connected with all others. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), "quorate-test-"));
  const nodes = await planNodes(folder, options);
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    for (const node of nodes) node.start();
    await Promise.all(nodes.map((node) => node.waitReady()));
    await Promise.all(nodes.map(waitConnected));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    nodes: Object.fromEntries(nodes.map((node) => [node.id, node])),
    urls: nodes.map(({ url }) => url),
    folder,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function planNodes(folder: string, options: ClusterOptions): Promise<readonly ClusterNode[]> {
  const ids = Array.from({ length: options.nodes }, (_, index) => `n${index + 1}`);
  const ports = await freePorts(2 * options.nodes);
  const addresses = new Map(
    ids.map((id, index) => {
      const host = options.host?.(id) ?? "127.0.0.1";
      return [
        id,
        { client: `${host}:${ports[2 * index]}`, peer: `${host}:${ports[2 * index + 1]}` },
      ];
    }),
  );
  const peers = [...addresses].map(([id, { peer }]) => `${id}=${peer}`).join(",");
  const secret = randomBytes(16).toString("hex");
  return [...addresses].map(([id, { client, peer }]) => {
    const nodeOptions: Partial<Record<OptionName, string>> = {
      id,
      listen: client,
      peerListen: peer,
      peers,
      data: options.data?.(id) ?? join(folder, id),
      clusterId: "test",
      ...options.nodeOptions,
    };
    return new ClusterNode({
      id,
      url: `http://${client}`,
      flags: Object.entries(nodeOptions).flatMap(([name, text]) => [
        flagOf(name as OptionName),
        text,
      ]),
      env: { KV_SECRET: secret, ...options.nodeEnv?.(id) },
      wrap: options.wrap?.(id) ?? [],
      execArgv: options.execArgv ?? [],
      logFile: join(folder, `${id}.log`),
    });
  });
}

/** What a node says of the members of its cluster, by id. */
export async function memberStates({ url }: ClusterNode): Promise<ReadonlyMap<string, string>> {
  const response = await fetch(`${url}/v1/cluster`);
  const { members } = (await response.json()) as { members: { id: string; state: string }[] };
  return new Map(members.map(({ id, state }) => [id, state]));
}

/** Polls /v1/cluster until no member is unreachable. */
export async function waitConnected(node: ClusterNode): Promise<void> {
  const deadline = performance.now() + CONNECTED_TIMEOUT_MS;
  for (;;) {
    const states = await memberStates(node);
    const missing = [...states].filter(([, state]) => state === "unreachable").map(([id]) => id);
    if (missing.length === 0) return;
    if (performance.now() > deadline) {
      throw new Error(
        `${node.id} does not reach ${missing.join(", ")}\n${node.log().slice(-4_000)}`,
      );
    }
    await sleep(POLL_MS);
  }
}
