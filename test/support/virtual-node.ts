import { DEFAULT_BUCKET } from "../../src/core/bucket.ts";
import { EMPTY_BYTES, utf8 } from "../../src/core/bytes.ts";
import type { Config } from "../../src/core/config.ts";
import { parseKey } from "../../src/core/ids.ts";
import type { NodeId } from "../../src/core/ids.ts";
import type { BucketChange } from "../../src/core/layout/bucket-change.ts";
import type { ClusterDocument } from "../../src/core/layout/cluster-document.ts";
import { recordKey } from "../../src/core/record-key.ts";
import { decodeRecord } from "../../src/core/version/record.ts";
import type { KvRecord, LwwRecord } from "../../src/core/version/record.ts";
import type { SiblingsRecord } from "../../src/core/version/siblings-record.ts";
import { Node } from "../../src/node/node.ts";
import type { NodeOptions } from "../../src/node/node.ts";
import type { MemberView } from "../../src/ports/node-view.ts";
import { LIST_LIMIT_MAX } from "../../src/ports/operations.ts";
import type {
  ExplainRequest,
  ExplainResult,
  ListRequest,
  ListResult,
  ReadRequest,
  ReadResult,
  WriteRequest,
  WriteResult,
} from "../../src/ports/operations.ts";
import { InProcessTransport } from "../../src/testing/in-process-transport.ts";
import type { InProcessOptions } from "../../src/testing/in-process-transport.ts";
import { MemoryDisk } from "../../src/testing/memory-storage.ts";
import type { MemoryStorage } from "../../src/testing/memory-storage.ts";
import { RecordingTelemetry } from "../../src/testing/recording-telemetry.ts";
import type { VirtualClock } from "../../src/testing/virtual-clock.ts";
import type { VirtualCluster } from "./virtual-cluster.ts";

type VirtualNodeOptions = NodeOptions & InProcessOptions;

export interface ListOptions extends Partial<Omit<ListRequest, "prefix">> {
  readonly prefix?: string;
}

/** One machine: its disk outlives the lives of its process. */
export class VirtualNode {
  readonly id: NodeId;
  disk = new MemoryDisk();
  /** Of the present life. */
  telemetry = new RecordingTelemetry();
  clock: VirtualClock;
  wallOffsetMs: number;
  readonly storageErrors: unknown[] = [];
  readonly #cluster: VirtualCluster;
  readonly #options: VirtualNodeOptions;
  #node: Node | undefined;
  #storage: MemoryStorage | undefined;
  #lives = 0;

  constructor(cluster: VirtualCluster, options: VirtualNodeOptions, wallOffsetMs: number) {
    this.id = options.id;
    this.#cluster = cluster;
    this.#options = options;
    this.wallOffsetMs = wallOffsetMs;
    this.clock = cluster.time.clock({ wallOffsetMs });
  }

  get readOnly(): boolean {
    return this.#running.readOnly;
  }

  /** As before a scrape. */
  showState(): void {
    this.#running.showState();
  }

  get operations(): Node["operations"] {
    return this.#running.operations;
  }

  async start(options: Partial<Config> = {}): Promise<void> {
    const { network, time, document, rng } = this.#cluster;
    this.#lives += 1;
    this.clock = time.clock({ wallOffsetMs: this.wallOffsetMs });
    this.telemetry = new RecordingTelemetry();
    const { clock, telemetry } = this;
    const storage = await this.disk.open();
    this.#storage = storage;
    this.#node = await Node.open(
      { ...this.#options, ...options },
      {
        clock,
        telemetry,
        storage,
        document,
        rng: rng.fork(this.id).fork(this.#lives),
        openTransport: async (events) =>
          InProcessTransport.open(this.id, this.#options, { ...events, network, clock, telemetry }),
        onStorageError: (error) => this.storageErrors.push(error),
      },
    );
  }

  /** As production stops: no operation is in flight any more. */
  async stop(): Promise<void> {
    await this.idle();
    await this.#running.close();
    await this.#storage?.close();
    this.#node = undefined;
  }

  /** The process dies: its connections are reset, what it wrote stays. */
  kill(): void {
    this.clock.stop();
    this.disk.kill();
    this.#cluster.network.leave(this.id);
    this.#node = undefined;
  }

  /** The machine dies with its connections; of each log `keep(unsynced)` unsynced batches stay. */
  losePower(keep?: (unsynced: number) => number): void {
    this.kill();
    this.disk.losePower(keep);
  }

  /** Resolves when no operation of a client is in flight here. */
  idle(): Promise<void> {
    return this.#running.idle();
  }

  /** Also of one that does not run. */
  get isWhole(): boolean {
    return this.#node?.resync === undefined;
  }

  get resync(): Node["resync"] {
    return this.#running.resync;
  }

  get document(): ClusterDocument {
    return this.#running.document;
  }

  changeBucket(change: BucketChange): Promise<ClusterDocument> {
    return this.#running.changeBucket(change);
  }

  sees(peer: VirtualNode): boolean {
    return this.member(peer).state.kind === "connected";
  }

  member(peer: VirtualNode): MemberView {
    return this.#running.member(peer.id);
  }

  get clockProblem(): string | undefined {
    return this.#running.clockProblem;
  }

  put(key: string, value: string, request: Partial<WriteRequest> = {}): Promise<WriteResult> {
    const content = { value: utf8(value), contentType: undefined, contentEncoding: undefined };
    return this.#write(key, { content, ...request });
  }

  delete(key: string, request: Partial<WriteRequest> = {}): Promise<WriteResult> {
    return this.#write(key, request);
  }

  get(key: string, request: Partial<ReadRequest> = {}): Promise<ReadResult> {
    return this.operations.read({
      bucket: DEFAULT_BUCKET,
      key: parseKey(utf8(key)),
      r: undefined,
      timeoutMs: undefined,
      ...request,
    });
  }

  /** A page of the keys of the bucket. */
  list({ prefix = "", ...request }: ListOptions = {}): Promise<ListResult> {
    return this.operations.list({
      bucket: DEFAULT_BUCKET,
      prefix: utf8(prefix),
      cursor: undefined,
      limit: LIST_LIMIT_MAX,
      r: undefined,
      timeoutMs: undefined,
      ...request,
    });
  }

  explain(key: string, request: Partial<ExplainRequest> = {}): Promise<ExplainResult> {
    return this.operations.explain({
      bucket: DEFAULT_BUCKET,
      key: parseKey(utf8(key)),
      timeoutMs: undefined,
      ...request,
    });
  }

  /** What this node's disk holds for the key, past all caches; the bucket is an lww bucket. */
  record(key: string): LwwRecord | undefined {
    const record = this.#record(key);
    if (record?.mode === "siblings") throw new Error("the bucket keeps siblings");
    return record;
  }

  /** As `record`; the bucket is a siblings bucket. */
  siblings(key: string): SiblingsRecord | undefined {
    const record = this.#record(key);
    if (record?.mode === "lww") throw new Error("the bucket keeps one version");
    return record;
  }

  #record(key: string): KvRecord | undefined {
    const address = addressOf(key);
    const bytes = this.disk.get(address);
    if (bytes === undefined) return undefined;
    const record = decodeRecord(address, bytes);
    if (record.kind === "damaged") throw new Error(`${this.id} holds a damaged record of ${key}`);
    return record;
  }

  /** Flips one bit of what this node stores for the key. */
  rot(key: string): void {
    const address = addressOf(key);
    const rotten = Uint8Array.from(this.disk.get(address) ?? EMPTY_BYTES);
    rotten[20] = (rotten[20] ?? 0) ^ 1;
    this.disk.rot(address, rotten);
  }

  get actor(): string {
    const line = this.telemetry.lines.find(({ message }) => message === "node is open");
    return String(line?.fields["actor"]);
  }

  get #running(): Node {
    if (this.#node === undefined) throw new Error(`${this.id} does not run`);
    return this.#node;
  }

  #write(key: string, request: Partial<WriteRequest>): Promise<WriteResult> {
    return this.operations.write({
      bucket: DEFAULT_BUCKET,
      key: parseKey(utf8(key)),
      content: undefined,
      w: undefined,
      timeoutMs: undefined,
      durability: undefined,
      ttlSeconds: undefined,
      writeId: undefined,
      attempt: 1,
      ...request,
    });
  }
}

/** Where a key of the bucket `default` lives on a disk. */
export function addressOf(key: string): ReturnType<typeof recordKey> {
  return recordKey(DEFAULT_BUCKET, parseKey(utf8(key)));
}
