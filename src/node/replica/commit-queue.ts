import type { Answer, Failure } from "../../core/answer.ts";
import { latin1Text } from "../../core/bytes.ts";
import { mergeModel } from "../../core/version/merge.ts";
import { decodeRecord } from "../../core/version/record.ts";
import type { KvRecord } from "../../core/version/record.ts";
import type { Clock, Instant } from "../../ports/clock.ts";
import type { ReplicaWrite } from "../../ports/peer-handler.ts";
import type { Storage, StorageWrite } from "../../ports/storage.ts";
import type { Telemetry } from "../../ports/telemetry.ts";
import type { RecordCache } from "./record-cache.ts";

interface Waiting extends ReplicaWrite {
  readonly deadline: Instant;
  readonly onAnswer: (answer: Answer<"applied">) => void;
}

interface WaitingPut {
  readonly put: StorageWrite;
  readonly onDone: (error: unknown) => void;
}

/** All writes of one batch to one key, and what they come to. */
interface KeyCommit {
  readonly write: ReplicaWrite;
  readonly writers: Waiting[];
  stored: KvRecord | undefined;
  merged: KvRecord | undefined;
  damaged: boolean;
}

const APPLIED: Answer<"applied"> = { kind: "ok", value: "applied" };

export interface CommitQueueOptions {
  readonly commitQueueMax: number;
  readonly commitBatchBytesMax: number;
}

interface CommitQueueModules {
  readonly cache: RecordCache;
  readonly clock: Clock;
  readonly storage: Storage;
  readonly telemetry: Telemetry;
  /** A batch failed: what it wrote is in doubt until the directory is opened anew. */
  readonly onStorageError: (error: unknown) => void;
}

/**
 * The one way in which a node writes. It takes what is queued, reads the old records that are not
 * cached in one `getMany`, merges, writes one batch with one fsync, then answers all (group commit). While one
 * batch is under way the next one gathers, so a lone write waits for nobody and a busy node
 * amortises. One batch at a time makes merge a plain read-modify-write.
 */
export class CommitQueue {
  readonly #options: CommitQueueOptions;
  readonly #modules: CommitQueueModules;
  #waiting: Waiting[] = [];
  #puts: WaitingPut[] = [];
  #running: Promise<void> | undefined;
  #scheduled = false;
  #state: "open" | "closing" | "failed" = "open";
  /** Since the directory was opened something was written without fsync. */
  #asyncCommitted = false;

  constructor(options: CommitQueueOptions, modules: CommitQueueModules) {
    this.#options = options;
    this.#modules = modules;
  }

  write(
    write: ReplicaWrite,
    deadline: Instant,
    onAnswer: (answer: Answer<"applied">) => void,
  ): void {
    if (this.#state !== "open") {
      onAnswer({ kind: "refused", reason: "stopping" });
    } else if (this.#waiting.length >= this.#options.commitQueueMax) {
      this.#modules.telemetry.metrics.refused.with("commitQueueMax").add();
      onAnswer({ kind: "refused", reason: "overloaded" });
    } else {
      const { key, record, durability, purpose } = write;
      this.#waiting.push({ key, record, durability, purpose, deadline, onAnswer });
      this.#schedule();
    }
  }

  /** Writes one entry of the node's own, with fsync, in the next batch. */
  put(put: StorageWrite): Promise<void> {
    if (this.#state !== "open") {
      const why = this.#state === "failed" ? "has failed" : "is closing";
      return Promise.reject(new Error(`the storage ${why}`));
    }
    return new Promise((resolve, reject) => {
      this.#puts.push({
        put,
        onDone: (error) => (error === undefined ? resolve() : reject(error)),
      });
      this.#schedule();
    });
  }

  /** Commits what is queued and takes nothing more. @returns whether every batch ever succeeded. */
  async close(): Promise<boolean> {
    if (this.#state === "open") this.#state = "closing";
    while (this.#running !== undefined || this.#hasWork()) {
      this.#running ??= this.#run();
      await this.#running;
    }
    return this.#state !== "failed";
  }

  #hasWork(): boolean {
    return this.#waiting.length > 0 || this.#puts.length > 0;
  }

  #schedule(): void {
    if (this.#scheduled || this.#running !== undefined) return;
    this.#scheduled = true;
    this.#modules.clock.soon(() => {
      this.#scheduled = false;
      this.#running ??= this.#run();
    });
  }

  async #run(): Promise<void> {
    while (this.#hasWork()) await this.#commit(this.#take(), this.#takePuts());
    this.#running = undefined;
  }

  #takePuts(): readonly WaitingPut[] {
    const puts = this.#puts;
    this.#puts = [];
    return puts;
  }

  /** At most `commitBatchBytesMax` of records, at least one; those that came too late are refused. */
  #take(): readonly Waiting[] {
    const now = this.#modules.clock.now();
    const taken: Waiting[] = [];
    let bytes = 0;
    let count = 0;
    for (const waiting of this.#waiting) {
      const size = waiting.record.bytes.byteLength;
      if (taken.length > 0 && bytes + size > this.#options.commitBatchBytesMax) break;
      count += 1;
      if (now > waiting.deadline) {
        waiting.onAnswer({ kind: "refused", reason: "expired" });
        continue;
      }
      bytes += size;
      taken.push(waiting);
    }
    this.#waiting = count === this.#waiting.length ? [] : this.#waiting.slice(count);
    return taken;
  }

  async #commit(writers: readonly Waiting[], puts: readonly WaitingPut[]): Promise<void> {
    const { cache, clock, storage, telemetry } = this.#modules;
    const commits = await this.#merge(writers, puts);
    if (commits === undefined) return;
    const sync = puts.length > 0 || writers.some(({ durability }) => durability === "sync");
    const writes = puts.map(({ put }) => put);
    for (const { write, stored, merged } of commits) {
      // What is stored already may never have been fsynced: it is written again when that matters.
      const durable = !sync || !this.#asyncCommitted;
      if (merged === undefined || (merged === stored && durable)) continue;
      writes.push({ key: write.key, value: merged.bytes });
    }
    const begun = clock.now();
    try {
      if (writes.length > 0) await storage.batch(writes, { sync });
    } catch (error) {
      // Writers of damaged records have their answer already.
      const unanswered = commits.flatMap((commit) => commit.writers);
      this.#fail(error, unanswered, puts);
      return;
    }
    this.#asyncCommitted ||= !sync && writes.length > 0;
    telemetry.metrics.commitBatch.with().observe(writers.length);
    telemetry.metrics.commitDuration
      .with(sync ? "sync" : "async")
      .observe((clock.now() - begun) / 1000);
    for (const { write, writers: answered, stored, merged } of commits) {
      if (merged !== undefined && merged !== stored) cache.enterCommit(write.key, merged);
      for (const { onAnswer } of answered) onAnswer(APPLIED);
    }
    for (const { onDone } of puts) onDone(undefined);
  }

  /** Reads what is stored and merges. Writers of a damaged record are answered here. */
  async #merge(
    writers: readonly Waiting[],
    puts: readonly WaitingPut[],
  ): Promise<readonly KeyCommit[] | undefined> {
    const byKey = new Map<string, KeyCommit>();
    for (const writer of writers) {
      const id = latin1Text(writer.key);
      const commit = byKey.get(id);
      if (commit === undefined) {
        byKey.set(id, {
          write: writer,
          writers: [writer],
          stored: undefined,
          merged: undefined,
          damaged: false,
        });
      } else {
        commit.writers.push(writer);
      }
    }
    const commits = [...byKey.values()];
    const uncached: KeyCommit[] = [];
    for (const commit of commits) {
      const cached = this.#modules.cache.lookUp(commit.write.key);
      if (cached === undefined) uncached.push(commit);
      else commit.stored = cached.record;
    }
    if (uncached.length > 0) {
      try {
        await this.#read(uncached);
      } catch (error) {
        this.#fail(error, writers, puts);
        return undefined;
      }
    }
    return commits.filter((commit) => this.#mergeOne(commit));
  }

  async #read(commits: readonly KeyCommit[]): Promise<void> {
    const { storage, telemetry } = this.#modules;
    const olds = await storage.getMany(commits.map(({ write }) => write.key));
    for (const [i, commit] of commits.entries()) {
      const old = olds[i];
      if (old === undefined) continue;
      const decoded = decodeRecord(commit.write.key, old);
      if (decoded.kind === "record") {
        commit.stored = decoded;
      } else {
        commit.damaged = true;
        telemetry.metrics.damagedRecords.with(decoded.reason).add();
      }
    }
  }

  #mergeOne(commit: KeyCommit): boolean {
    if (commit.damaged) {
      for (const { onAnswer } of commit.writers) {
        onAnswer({ kind: "refused", reason: "damaged-record" });
      }
      return false;
    }
    commit.merged = commit.stored;
    for (const { key, record } of commit.writers) {
      commit.merged = mergeModel(record.mode).merge(key, commit.merged, record);
    }
    return true;
  }

  #fail(error: unknown, writers: readonly Waiting[], puts: readonly WaitingPut[]): void {
    this.#state = "failed";
    const doubt: Failure = { kind: "unknown", reason: "storage-error" };
    for (const { onAnswer } of writers) onAnswer(doubt);
    for (const { onDone } of puts) onDone(error);
    for (const { onAnswer } of this.#waiting) onAnswer({ kind: "refused", reason: "stopping" });
    this.#waiting = [];
    for (const { onDone } of this.#puts) onDone(error);
    this.#puts = [];
    this.#modules.onStorageError(error);
  }
}
