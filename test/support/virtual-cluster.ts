import { DEFAULT_BUCKET } from "../../src/core/bucket.ts";
import type { BucketProperties } from "../../src/core/bucket.ts";
import { utf8Text } from "../../src/core/bytes.ts";
import { OPTIONS, parsePeers } from "../../src/core/config.ts";
import type { Config, OptionName } from "../../src/core/config.ts";
import { KvError } from "../../src/core/errors.ts";
import { parseNodeId, parseWriteId } from "../../src/core/ids.ts";
import type { NodeId } from "../../src/core/ids.ts";
import { firstClusterDocument } from "../../src/core/layout/cluster-document.ts";
import type { ClusterDocument } from "../../src/core/layout/cluster-document.ts";
import { decodeRequest } from "../../src/core/messages/request.ts";
import type { PeerRequest } from "../../src/core/messages/request.ts";
import { partitionOfRecordKey } from "../../src/core/record-key.ts";
import type { ReadResult } from "../../src/ports/operations.ts";
import { InProcessNetwork } from "../../src/testing/in-process-network.ts";
import type { Arrival, Fate, Message } from "../../src/testing/in-process-network.ts";
import { SeededRng } from "../../src/testing/seeded-rng.ts";
import { VirtualTime } from "../../src/testing/virtual-clock.ts";
import { addressOf, VirtualNode } from "./virtual-node.ts";

const immediate = setImmediate;

/** A macrotask: it comes when every promise callback that needs nothing else has run. */
export function drain(): Promise<void> {
  return new Promise((resolve) => {
    immediate(resolve);
  });
}

/** Wrong clocks stop nobody unless a test is about that: promises hold under any skew. */
const ANY_OFFSET_MS = 86_400_000;

/** How long a message takes unless a test says otherwise. */
export const LATENCY_MS = 1;

export interface VirtualClusterOptions {
  readonly nodes?: number;
  /** Of the bucket `default`. */
  readonly bucket?: Partial<BucketProperties>;
  /** Options of every node, beyond their defaults. */
  readonly options?: Partial<Config>;
  /** How far each node's wall clock is off, in the order of the nodes. */
  readonly wallOffsetsMs?: readonly number[];
  readonly seed?: number | string;
}

export interface SentRequest {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly kind: PeerRequest["kind"];
  readonly remainingMs: number;
  readonly at: number;
}

/** A whole cluster of real nodes in one process, on virtual time, memory disks and no sockets. */
export class VirtualCluster {
  readonly time = new VirtualTime({ drain });
  readonly network = new InProcessNetwork();
  readonly document: ClusterDocument;
  readonly rng: SeededRng;
  readonly nodes: readonly VirtualNode[];
  /** What nodes have asked each other, heartbeats left out. */
  readonly requests: SentRequest[] = [];
  /** What becomes of messages; the network's own faults come on top. */
  fate: Fate = () => [LATENCY_MS];
  readonly #silenced = new Set<NodeId>();

  private constructor(opts: VirtualClusterOptions) {
    const { nodes = 3, bucket = {}, options = {}, wallOffsetsMs = [], seed = 1 } = opts;
    const ids = Array.from({ length: nodes }, (_, i) => parseNodeId(`n${i + 1}`));
    const first = firstClusterDocument(parsePeers(ids.map((id) => `${id}=${id}:1`).join(",")));
    const properties = first.buckets.get(DEFAULT_BUCKET);
    if (properties === undefined) throw new Error("the bucket 'default' always exists");
    const buckets = new Map([[DEFAULT_BUCKET, { ...properties, ...bucket }]]);
    this.document = { ...first, buckets };
    this.rng = new SeededRng(seed);
    this.network.fate = (message) => this.#carry(message);
    this.nodes = ids.map(
      (id, i) =>
        new VirtualNode(
          this,
          { ...defaults(), clockOffsetMaxMs: ANY_OFFSET_MS, ...options, id },
          wallOffsetsMs[i] ?? 0,
        ),
    );
  }

  /** All nodes open, connected and whole. */
  static async open(opts: VirtualClusterOptions = {}): Promise<VirtualCluster> {
    const cluster = new VirtualCluster(opts);
    await cluster.time.settled(Promise.all(cluster.nodes.map((node) => node.start())));
    await cluster.connected();
    await cluster.whole();
    // On a whole millisecond, so that what tests count from here on is exact.
    const { time } = cluster;
    await time.advance(Math.ceil(time.now()) - time.now());
    cluster.requests.length = 0;
    return cluster;
  }

  /** No node runs yet. */
  static stopped(opts: VirtualClusterOptions = {}): VirtualCluster {
    return new VirtualCluster(opts);
  }

  /** By number, from 1. */
  node(number: number): VirtualNode {
    const node = this.nodes[number - 1];
    if (node === undefined) throw new Error(`there is no node n${number}`);
    return node;
  }

  /** Lets time pass until the promise settles. */
  run<T>(promise: Promise<T>): Promise<T> {
    return this.time.settled(promise);
  }

  /** Lets time pass until the operation ends, and returns its error. */
  errorOf(operation: Promise<unknown>): Promise<KvError> {
    return this.run(failureOf(operation));
  }

  /** Until every node has a connection to every other. */
  connected(): Promise<void> {
    return this.time.runUntil(() =>
      this.nodes.every((node) => this.nodes.every((peer) => node === peer || node.sees(peer))),
    );
  }

  /** Until every node that runs holds what it acknowledged. */
  whole(): Promise<void> {
    return this.time.runUntil(() => this.nodes.every((node) => node.isWhole));
  }

  /** Resets the connections between the two groups, both ways. */
  cut(ones: readonly VirtualNode[], others: readonly VirtualNode[]): void {
    for (const [a, b] of pairs(ones, others)) {
      this.network.cut(a.id, b.id);
      this.network.cut(b.id, a.id);
    }
  }

  heal(ones: readonly VirtualNode[], others: readonly VirtualNode[]): void {
    for (const [a, b] of pairs(ones, others)) {
      this.network.heal(a.id, b.id);
      this.network.heal(b.id, a.id);
    }
  }

  /** Loses all that is said to these nodes and by them; nobody is told. */
  silence(nodes: readonly VirtualNode[]): void {
    for (const { id } of nodes) this.#silenced.add(id);
  }

  unsilence(nodes: readonly VirtualNode[]): void {
    for (const { id } of nodes) this.#silenced.delete(id);
  }

  preferenceList(key: string): readonly NodeId[] {
    const { layout, buckets } = this.document;
    const n = buckets.get(DEFAULT_BUCKET)?.n ?? 0;
    return layout.preferenceList(partitionOfRecordKey(addressOf(key)), n);
  }

  /** A key with exactly this preference list. */
  keyOf(...nodes: readonly VirtualNode[]): string {
    const wanted = nodes.map(({ id }) => id).join();
    for (let i = 0; i < 100_000; i++) {
      if (this.preferenceList(`key-${i}`).join() === wanted) return `key-${i}`;
    }
    throw new Error(`no key has the preference list ${wanted}`);
  }

  /** The values that the nodes' disks hold, in the order of the nodes. */
  stored(key: string): readonly (string | undefined)[] {
    return this.nodes.map((node) => textOf(node.record(key)?.version.content?.value));
  }

  #carry(message: Message): readonly Arrival[] {
    if (message.leg === "request") {
      const { request, envelope } = decodeRequest(message.payload);
      const { from, to } = message;
      const { remainingMs } = envelope;
      if (request.kind !== "heartbeat") {
        this.requests.push({ from, to, kind: request.kind, remainingMs, at: this.time.now() });
      }
    }
    if (this.#silenced.has(message.from) || this.#silenced.has(message.to)) return [];
    return this.fate(message);
  }
}

/** The error with which the operation ends; one that succeeds is an error of another kind. */
export async function failureOf(operation: Promise<unknown>): Promise<KvError> {
  try {
    await operation;
  } catch (error) {
    if (error instanceof KvError) return error;
    throw new Error(`expected a KvError, got ${String(error)}`, { cause: error });
  }
  throw new Error("expected a KvError, but the operation succeeded");
}

/** The value that a read returned, as text. */
export function valueOf({ version }: Pick<ReadResult, "version">): string | undefined {
  return textOf(version?.content?.value);
}

export const writeIdOf = parseWriteId;

function textOf(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : utf8Text(value);
}

function pairs(
  ones: readonly VirtualNode[],
  others: readonly VirtualNode[],
): readonly (readonly [VirtualNode, VirtualNode])[] {
  return ones.flatMap((a) => others.filter((b) => a !== b).map((b) => [a, b] as const));
}

/** Every option that has a default. */
function defaults(): Config {
  const names = Object.keys(OPTIONS) as readonly OptionName[];
  return Object.fromEntries(
    names.map((name) => [name, OPTIONS[name].default]),
  ) as unknown as Config;
}
