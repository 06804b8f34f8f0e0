import type { Answer } from "../../../src/core/answer.ts";
import { DEFAULT_BUCKET } from "../../../src/core/bucket.ts";
import type { Durability } from "../../../src/core/bucket.ts";
import { utf8, utf8Text } from "../../../src/core/bytes.ts";
import { stampOfMs } from "../../../src/core/hlc.ts";
import type { Stamp } from "../../../src/core/hlc.ts";
import { parseActorId, parseKey, parseWriteId } from "../../../src/core/ids.ts";
import { recordKey } from "../../../src/core/record-key.ts";
import type { RecordKey } from "../../../src/core/record-key.ts";
import { recentOf } from "../../../src/core/version/recent.ts";
import { decodeRecord, encodeRecord } from "../../../src/core/version/record.ts";
import type { KvRecord } from "../../../src/core/version/record.ts";
import { writeIdentity } from "../../../src/core/version/write-identity.ts";
import type { WriteIdHash } from "../../../src/core/version/write-identity.ts";
import type { PeerHandler, ReplicaWrite } from "../../../src/ports/peer-handler.ts";
import type { StorageWrite } from "../../../src/ports/storage.ts";
import { CommitQueue } from "../../../src/node/replica/commit-queue.ts";
import { Lister } from "../../../src/node/replica/lister.ts";
import { ReadQueue } from "../../../src/node/replica/read-queue.ts";
import { Quarantine } from "../../../src/node/replica/quarantine.ts";
import { RecordCache } from "../../../src/node/replica/record-cache.ts";
import { Replica } from "../../../src/node/replica/replica.ts";
import { SpaceWatch } from "../../../src/node/replica/space-watch.ts";
import { StoredRecords } from "../../../src/node/replica/stored-records.ts";
import { MemoryDisk } from "../../../src/testing/memory-storage.ts";
import type { DiskWork } from "../../../src/testing/memory-storage.ts";
import { RecordingTelemetry } from "../../../src/testing/recording-telemetry.ts";
import { VirtualTime } from "../../../src/testing/virtual-clock.ts";
import { drain } from "../../support/virtual-cluster.ts";

export const ACTOR = parseActorId("00112233445566778899aabb");
const POSITION_KEY = utf8("position");
const LONG_MS = 60_000;

export interface ReplicaOptions {
  readonly commitQueueMax?: number;
  readonly commitBatchBytesMax?: number;
  readonly readQueueMax?: number;
  readonly recordCacheBytes?: number;
  readonly diskFreeBytesMin?: number;
}

export const SLOW_OPERATION_MS = 500;
export const DISK_POLL_MS = 1_000;

const DEFAULTS = {
  commitQueueMax: 1_000,
  commitBatchBytesMax: 1_000_000,
  readQueueMax: 1_000,
  recordCacheBytes: 0,
  diskFreeBytesMin: 0,
  diskPollMs: DISK_POLL_MS,
  slowOperationMs: SLOW_OPERATION_MS,
};

interface Parts {
  readonly quarantine: Quarantine;
  readonly space: SpaceWatch;
  readonly commits: CommitQueue;
  readonly replica: PeerHandler;
}

/** One replica of a node on a memory disk and virtual time, seen through its port. */
export class ReplicaBench {
  readonly time = new VirtualTime({ drain });
  readonly telemetry = new RecordingTelemetry();
  readonly storageErrors: unknown[] = [];
  readonly disk: MemoryDisk;
  /** How often the storage was opened anew. */
  recoveries = 0;
  /** Why the storage does not open anew. */
  failRecovery: unknown;
  #parts: Parts | undefined;
  /** Partitions that are resynchronising. */
  readonly missing = new Set<number>();
  /** Numbers the synced batches, as the directory does. */
  readonly journal = {
    position: 0,
    positionWrite: () => ({ key: POSITION_KEY, value: utf8(String(this.journal.position + 1)) }),
    advance: () => {
      this.journal.position += 1;
    },
  };

  private constructor(disk: MemoryDisk) {
    this.disk = disk;
  }

  static async open(opts: ReplicaOptions = {}, disk = new MemoryDisk()): Promise<ReplicaBench> {
    const bench = new ReplicaBench(disk);
    bench.#parts = await bench.#open({ ...DEFAULTS, ...opts });
    return bench;
  }

  async #open(options: typeof DEFAULTS): Promise<Parts> {
    const { telemetry, disk } = this;
    const storage = await disk.open();
    const clock = this.time.clock();
    const cache = new RecordCache(options, { telemetry });
    const quarantine = new Quarantine({ cache, telemetry });
    const stored = new StoredRecords({ clock, storage, quarantine, telemetry });
    const onStorageError = (error: unknown): void => void this.storageErrors.push(error);
    const recover = async (): Promise<void> => {
      if (this.failRecovery !== undefined) throw this.failRecovery;
      await storage.reopen();
      cache.clear();
      this.recoveries += 1;
    };
    const common = { cache, clock, quarantine, storage, stored, telemetry, onStorageError };
    const space = await SpaceWatch.open(options, { ...common, recover });
    const commits = new CommitQueue(options, { ...common, space, journal: this.journal });
    const reads = new ReadQueue(options, common);
    const clockReading = (): Stamp => stampOfMs(clock.wallMs());
    const isWhole = (partition: number): boolean => !this.missing.has(partition);
    const minter = { mint: () => undefined };
    const lister = new Lister(common);
    const replica = new Replica({ reads, commits, minter, lister, clockReading, isWhole });
    return { quarantine, space, commits, replica };
  }

  get #running(): Parts {
    if (this.#parts === undefined) throw new Error("the bench is not open");
    return this.#parts;
  }

  get replica(): PeerHandler {
    return this.#running.replica;
  }

  get space(): SpaceWatch {
    return this.#running.space;
  }

  get quarantine(): Quarantine {
    return this.#running.quarantine;
  }

  put(write: StorageWrite): Promise<void> {
    return this.#running.commits.put(write);
  }

  /** What a quorum of peers holds. */
  prove(key: string, record: KvRecord | undefined): Answer<"applied">[] {
    const answers: Answer<"applied">[] = [];
    const proof = { key: addressOf(key), record };
    this.#running.commits.prove(proof, this.time.now() + LONG_MS, (a) => answers.push(a));
    return answers;
  }

  close(): Promise<boolean> {
    return this.#running.commits.close();
  }

  /** Asks for a write; what is answered is collected. */
  write(
    record: Write,
    {
      durability = "sync",
      withinMs = LONG_MS,
      purpose = "client",
    }: {
      durability?: Durability;
      withinMs?: number;
      purpose?: ReplicaWrite["purpose"];
    } = {},
  ): Answer<"applied">[] {
    const answers: Answer<"applied">[] = [];
    const write = { key: record.key, record: record.record, durability, purpose };
    this.replica.write(write, this.time.now() + withinMs, (answer) => answers.push(answer));
    return answers;
  }

  read(key: string, withinMs = LONG_MS): Answer<KvRecord | undefined>[] {
    const answers: Answer<KvRecord | undefined>[] = [];
    this.replica.read(addressOf(key), this.time.now() + withinMs, (answer) =>
      answers.push(answer.kind === "ok" ? { kind: "ok", value: answer.value.record } : answer),
    );
    return answers;
  }

  learn(key: string, withinMs = LONG_MS): Answer<number>[] {
    const answers: Answer<number>[] = [];
    const question = { key: addressOf(key), idHash: "0".repeat(16) as WriteIdHash };
    this.replica.learn(question, this.time.now() + withinMs, (answer) =>
      answers.push(answer.kind === "ok" ? { kind: "ok", value: answer.value.newest } : answer),
    );
    return answers;
  }

  /** Everything that can happen without time going on. */
  settle(): Promise<void> {
    return this.time.advance(0);
  }

  /** Calls since the last time. */
  calls(): MemoryDisk["calls"] {
    const now = { ...this.disk.calls };
    const since = {
      getMany: now.getMany - this.#seen.getMany,
      batch: now.batch - this.#seen.batch,
      sync: now.sync - this.#seen.sync,
    };
    this.#seen = now;
    return since;
  }
  #seen: MemoryDisk["calls"] = { getMany: 0, batch: 0, sync: 0 };

  /** The number in the newest batch that holds one. */
  get storedPosition(): string | undefined {
    const bytes = this.disk.get(POSITION_KEY);
    return bytes === undefined ? undefined : utf8Text(bytes);
  }

  /** What the disk holds for the key, past the cache. */
  stored(key: string): string | undefined {
    const bytes = this.disk.get(addressOf(key));
    if (bytes === undefined) return undefined;
    const record = decodeRecord(addressOf(key), bytes);
    return record.kind === "record" ? textOf(record) : record.reason;
  }

  /** Flips a bit of what is stored. */
  rot(key: string): Uint8Array {
    const bytes = Uint8Array.from(this.disk.get(addressOf(key)) ?? utf8("x".repeat(40)));
    bytes[15] = (bytes[15] ?? 0) ^ 4;
    this.disk.overwrite(addressOf(key), bytes);
    return bytes;
  }

  /** Holds up one kind of disk work. @returns what lets it go on. */
  hold(work: DiskWork): () => void {
    let release: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.disk.pause = (asked) => (asked === work ? gate : Promise.resolve());
    return () => {
      this.disk.pause = () => Promise.resolve();
      release();
    };
  }
}

export interface Write {
  readonly key: RecordKey;
  readonly record: KvRecord;
}

/** A record as a coordinator makes it; `at` orders the writes of a key. */
export function writeOf(key: string, value: string | undefined, at = 1, writeId = "w"): Write {
  const content =
    value === undefined
      ? undefined
      : { value: utf8(value), contentType: undefined, contentEncoding: undefined };
  const version = {
    stamp: stampOfMs(at),
    actor: ACTOR,
    writeId: parseWriteId(writeId),
    content,
    expiresAt: undefined,
  };
  const identity = writeIdentity({ ...version, ttlSeconds: undefined });
  const recent = recentOf(version.stamp, identity);
  return { key: addressOf(key), record: encodeRecord(addressOf(key), version, recent) };
}

export function addressOf(key: string): RecordKey {
  return recordKey(DEFAULT_BUCKET, parseKey(utf8(key)));
}

export function textOf(record: KvRecord | undefined): string | undefined {
  const content = record?.versions[0]?.content;
  return content === undefined ? undefined : utf8Text(content.value);
}

export const APPLIED = [{ kind: "ok", value: "applied" }];
export const refused = (reason: string) => [{ kind: "refused", reason }];
export const unknown = (reason: string) => [{ kind: "unknown", reason }];
