import { checkAll, LWW_CHECKERS, SIBLINGS_CHECKERS } from "../../../src/checker/check-all.ts";
import { Evidence } from "../../../src/checker/evidence.ts";
import type {
  Causality,
  Finding,
  Operation,
  ReplicaState,
  SeenSibling,
} from "../../../src/checker/history.ts";
import { DEFAULT_BUCKET } from "../../../src/core/bucket.ts";
import type { BucketProperties } from "../../../src/core/bucket.ts";
import { hex, utf8Text } from "../../../src/core/bytes.ts";
import { KvError } from "../../../src/core/errors.ts";
import type { Version } from "../../../src/core/version/version.ts";
import type { ReadRequest, WriteRequest } from "../../../src/ports/operations.ts";
import { LATENCY_MS, VirtualCluster, writeIdOf } from "../../support/virtual-cluster.ts";
import type { VirtualClusterOptions } from "../../support/virtual-cluster.ts";
import type { VirtualNode } from "../../support/virtual-node.ts";
import { identityOf, seenSibling } from "../attempt.ts";
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
  /** In a bucket that keeps siblings. */
  readonly context?: string | undefined;
  readonly siblings?: readonly SeenSibling[];
}

type Answered = Omit<Told, "outcome" | "code">;

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
    return this.#record({ ...request, kind: "put", key, version: value }, async () => {
      const { version, context } = await node.put(key, value, { ...request, writeId });
      return { stamp: version.stamp, version: undefined, expired: false, context };
    });
  }

  delete(node: VirtualNode, key: string, request: Partial<WriteRequest> = {}): Promise<Told> {
    const writeId = request.writeId ?? writeIdOf(`delete-${this.#operations.length}`);
    const identity = identityOf({ writeId, content: undefined });
    return this.#record({ ...request, kind: "delete", key, version: identity }, async () => {
      const { version, context } = await node.delete(key, { ...request, writeId });
      return { stamp: version.stamp, version: undefined, expired: false, context };
    });
  }

  get(node: VirtualNode, key: string, request: Partial<ReadRequest> = {}): Promise<Told> {
    return this.#record({ kind: "get", key, version: undefined, r: request.r }, async () => {
      const { version, expired, context, siblings } = await node.get(key, request);
      const seen = siblings.map(seenSibling);
      return { stamp: version?.stamp, version, expired, context, siblings: seen };
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
    const checkers = this.#keepsSiblings ? SIBLINGS_CHECKERS : LWW_CHECKERS;
    return [...checkAll(history, checkers), this.#expectations.finding()];
  }

  get #n(): number {
    return this.#bucket.n;
  }

  get #keepsSiblings(): boolean {
    return this.#bucket.mode === "siblings";
  }

  get #bucket(): BucketProperties {
    const bucket = this.cluster.document.buckets.get(DEFAULT_BUCKET);
    if (bucket === undefined) throw new Error("the bucket 'default' always exists");
    return bucket;
  }

  async #record(
    facts: Pick<Operation, "kind" | "key" | "version"> & {
      r?: unknown;
      w?: unknown;
      durability?: Operation["durability"] | undefined;
      context?: string | undefined;
    },
    perform: () => Promise<Answered>,
  ): Promise<Told> {
    const { kind, key, version, durability = "sync", context: sent } = facts;
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
      durability,
      causality: this.#causality(sent, undefined),
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
      ...(kind !== "get" && { version, stamp: told.stamp }),
      ...(kind === "get" && !this.#keepsSiblings && registerRead(told)),
      causality: this.#causality(sent, told),
    };
    return told;
  }

  #causality(sent: string | undefined, told: Told | undefined): Causality | undefined {
    if (!this.#keepsSiblings) return undefined;
    const { blindWrites, siblingsMax } = this.#bucket;
    const { context, siblings = [] } = told ?? {};
    return { blindWrites, siblingsMax, sent, context, siblings };
  }

  #replicas(): readonly ReplicaState[] {
    return this.cluster.nodes.map((node) => {
      const records = new Map<string, RecordState>();
      for (const key of this.#keys) {
        if (!this.cluster.preferenceList(key).includes(node.id)) continue;
        const state = this.#keepsSiblings ? siblingsState(node, key) : recordState(node, key);
        if (state !== undefined) records.set(key, state);
      }
      return { node: node.id, records };
    });
  }
}

function registerRead({ version, stamp, expired }: Told): Partial<Operation> {
  return { version: identityOf(version), stamp, expired };
}

function recordState(node: VirtualNode, key: string): RecordState | undefined {
  const record = node.record(key);
  if (record === undefined) return undefined;
  const { version, bytes } = record;
  return {
    version: identityOf(version) ?? "",
    stamp: version.stamp,
    tombstone: version.content === undefined,
    digest: hex(bytes),
  };
}

function siblingsState(node: VirtualNode, key: string): RecordState | undefined {
  const record = node.siblings(key);
  if (record === undefined) return undefined;
  const siblings = record.versions.map((version) => seenSibling({ version, expired: false }));
  const version = siblings.map(({ dot }) => dot).join();
  return { version, stamp: record.stamp, tombstone: false, digest: hex(record.bytes), siblings };
}

/** What a get was shown of a bucket that keeps siblings, sorted. */
export function valuesIn({ siblings = [] }: Told): string {
  return siblings
    .map(({ version }) => version)
    .toSorted()
    .join();
}

export function valueIn({ version }: Told): string | undefined {
  const value = version?.content?.value;
  return value === undefined ? undefined : utf8Text(value);
}

type RecordState = ReplicaState["records"] extends ReadonlyMap<string, infer R> ? R : never;
