import { checkAll, LWW_CHECKERS } from "../../../src/checker/check-all.ts";
import { Evidence } from "../../../src/checker/evidence.ts";
import type { Finding, Operation, ReplicaState } from "../../../src/checker/history.ts";
import { DEFAULT_BUCKET } from "../../../src/core/bucket.ts";
import { hex, utf8Text } from "../../../src/core/bytes.ts";
import { KvError } from "../../../src/core/errors.ts";
import type { Version } from "../../../src/core/version/version.ts";
import type { ReadRequest, WriteRequest } from "../../../src/ports/operations.ts";
import { LATENCY_MS, VirtualCluster, writeIdOf } from "../../support/virtual-cluster.ts";
import type { VirtualClusterOptions } from "../../support/virtual-cluster.ts";
import type { VirtualNode } from "../../support/virtual-node.ts";
import { identityOf } from "../attempt.ts";
import { Hold } from "./hold.ts";
import type { Which } from "./hold.ts";

/** Longer than any operation may take: what is late by then does not come any more. */
const SETTLE_MS = 10_000;
/** A connection over which messages are held back is not given up. */
const PATIENT = { peerSilenceMs: 600_000 } as const;

/** How an attempt ended: what its client was told, and of which version. */
export interface Told {
  readonly outcome: Operation["outcome"];
  readonly code: KvError["code"] | undefined;
  readonly stamp: number | undefined;
  /** Of a get. */
  readonly version: Version | undefined;
  readonly expired: boolean;
}

/**
 * A cluster on which a schedule plays: every message can be held back, every operation is in the
 * history, and in the end the checkers judge it as they judge the runs of the random search.
 */
export class Stage {
  readonly cluster: VirtualCluster;
  /** The replicas of `key`, in this order; in a cluster of three all nodes. */
  readonly a: VirtualNode;
  readonly b: VirtualNode;
  readonly c: VirtualNode;
  readonly key: string;
  readonly #operations: Operation[] = [];
  readonly #keys = new Set<string>();
  readonly #holds: Hold[] = [];
  readonly #expectations = new Evidence("directed");

  private constructor(cluster: VirtualCluster) {
    this.cluster = cluster;
    [this.a, this.b, this.c] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    this.key = cluster.keyOf(this.a, this.b, this.c);
    cluster.fate = (message) => {
      for (const hold of this.#holds) {
        const fate = hold.fateOf(message);
        if (fate !== undefined) return fate;
      }
      return [LATENCY_MS];
    };
  }

  static async open(opts: VirtualClusterOptions = {}): Promise<Stage> {
    const options = { ...PATIENT, ...opts.options };
    return new Stage(await VirtualCluster.open({ ...opts, options }));
  }

  /** From now on these messages are held back, whatever an older hold would do with them. */
  hold(which: Which): Hold {
    const hold = new Hold(which);
    this.#holds.unshift(hold);
    return hold;
  }

  advance(ms: number): Promise<void> {
    return this.cluster.time.advance(ms);
  }

  /** Lets time pass until it is so; that it never is so breaks an expectation. */
  async until(condition: () => boolean, sentence: string): Promise<void> {
    for (let passedMs = 0; passedMs < SETTLE_MS && !condition(); passedMs += LATENCY_MS) {
      await this.advance(LATENCY_MS);
    }
    this.expect(condition(), sentence);
  }

  /** Under a write id that is the value without its spaces, unless the request names another. */
  put(
    node: VirtualNode,
    key: string,
    value: string,
    request: Partial<WriteRequest> = {},
  ): Promise<Told> {
    const writeId = request.writeId ?? writeIdOf(value.replaceAll(" ", "-"));
    return this.#record({ kind: "put", key, version: value, w: request.w }, async () => {
      const { version } = await node.put(key, value, { ...request, writeId });
      return { stamp: version.stamp, version: undefined, expired: false };
    });
  }

  delete(node: VirtualNode, key: string, request: Partial<WriteRequest> = {}): Promise<Told> {
    const writeId = request.writeId ?? writeIdOf(`delete-${this.#operations.length}`);
    return this.#record(
      { kind: "delete", key, version: identityOf({ writeId, content: undefined }), w: request.w },
      async () => {
        const { version } = await node.delete(key, { ...request, writeId });
        return { stamp: version.stamp, version: undefined, expired: false };
      },
    );
  }

  get(node: VirtualNode, key: string, request: Partial<ReadRequest> = {}): Promise<Told> {
    return this.#record({ kind: "get", key, version: undefined, r: request.r }, async () => {
      const { version, expired } = await node.get(key, request);
      return { stamp: version?.stamp, version, expired };
    });
  }

  expect(condition: boolean, sentence: string): void {
    this.#expectations.examine();
    if (!condition) this.#expectations.violation("", [], () => sentence);
  }

  /** Everything that is held back arrives, every key is read at R = N through every node; the verdicts. */
  async end(): Promise<readonly Finding[]> {
    for (const hold of this.#holds) hold.release();
    await this.advance(SETTLE_MS);
    for (const key of this.#keys) {
      for (const node of this.cluster.nodes) {
        await this.cluster.run(this.get(node, key, { r: this.#n }));
      }
    }
    await this.advance(SETTLE_MS);
    const history = { operations: this.#operations, replicas: this.#replicas() };
    return [...checkAll(history, LWW_CHECKERS), this.#expectations.finding()];
  }

  get #n(): number {
    return this.#bucket.n;
  }

  get #bucket(): { readonly n: number; readonly r: number; readonly w: number } {
    const bucket = this.cluster.document.buckets.get(DEFAULT_BUCKET);
    if (bucket === undefined) throw new Error("the bucket 'default' always exists");
    return bucket;
  }

  async #record(
    facts: Pick<Operation, "kind" | "key" | "version"> & { r?: unknown; w?: unknown },
    perform: () => Promise<Pick<Told, "stamp" | "version" | "expired">>,
  ): Promise<Told> {
    const { kind, key, version } = facts;
    this.#keys.add(key);
    const { n, r, w } = this.#bucket;
    const begun: Operation = {
      client: 0,
      key,
      kind,
      call: this.cluster.time.now(),
      // Unless it ends: whoever waits for a node that died waits for ever.
      end: undefined,
      outcome: "unknown",
      version,
      stamp: undefined,
      expiresAt: undefined,
      expired: false,
      n,
      r: typeof facts.r === "number" ? facts.r : r,
      w: typeof facts.w === "number" ? facts.w : w,
      durability: "sync",
    };
    const at = this.#operations.push(begun) - 1;
    const told = await perform().then(
      (found): Told => ({ outcome: "ok", code: undefined, ...found }),
      (error: unknown): Told => {
        if (!(error instanceof KvError)) throw error;
        const { outcome, code, data } = error;
        return { outcome, code, stamp: data.stamp, version: undefined, expired: false };
      },
    );
    this.#operations[at] = {
      ...begun,
      end: told.outcome === "unknown" ? undefined : this.cluster.time.now(),
      outcome: told.outcome,
      version: kind === "get" ? identityOf(told.version) : version,
      stamp: told.stamp,
      expired: told.expired,
    };
    return told;
  }

  #replicas(): readonly ReplicaState[] {
    return this.cluster.nodes.map((node) => {
      const records = new Map<string, RecordState>();
      for (const key of this.#keys) {
        const record = node.record(key);
        if (record === undefined || !this.cluster.preferenceList(key).includes(node.id)) continue;
        const { version, bytes } = record;
        records.set(key, {
          version: identityOf(version) ?? "",
          stamp: version.stamp,
          tombstone: version.content === undefined,
          digest: hex(bytes),
        });
      }
      return { node: node.id, records };
    });
  }
}

export function valueIn({ version }: Told): string | undefined {
  const value = version?.content?.value;
  return value === undefined ? undefined : utf8Text(value);
}

type RecordState = ReplicaState["records"] extends ReadonlyMap<string, infer R> ? R : never;
