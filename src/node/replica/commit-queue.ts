import type { Answer, Failure } from "../../core/answer.ts";
import type { WritePurpose } from "../../core/free-space.ts";
import { LineBudget } from "../../core/line-budget.ts";
import type { RecordKey } from "../../core/record-key.ts";
import type { KvRecord } from "../../core/version/record.ts";
import type { Clock, Instant } from "../../ports/clock.ts";
import type { ReplicaWrite } from "../../ports/peer-handler.ts";
import { bytesOf, StorageError, storageErrorKind } from "../../ports/storage.ts";
import type { Storage, StorageWrite } from "../../ports/storage.ts";
import type { Telemetry } from "../../ports/telemetry.ts";
import { KeyCommit } from "./key-commit.ts";
import type { QueuedWrite } from "./key-commit.ts";
import type { Quarantine } from "./quarantine.ts";
import type { RecordCache } from "./record-cache.ts";
import type { SpaceWatch } from "./space-watch.ts";
import type { StoredRecords } from "./stored-records.ts";

interface WaitingPut {
  readonly put: StorageWrite;
  readonly onDone: (error: unknown) => void;
}

interface WaitingWrite extends QueuedWrite {
  readonly queuedAt: Instant;
}

type OnAnswer = (answer: Answer<"applied">) => void;

const APPLIED: Answer<"applied"> = { kind: "ok", value: "applied" };
const DOUBT: Failure = { kind: "unknown", reason: "storage-error" };

export interface CommitQueueOptions {
  readonly commitQueueMax: number;
  readonly commitBatchBytesMax: number;
  readonly slowOperationMs: number;
}

interface CommitJournal {
  positionWrite(): StorageWrite;
  advance(): void;
}

interface CommitQueueModules {
  readonly cache: RecordCache;
  readonly clock: Clock;
  readonly quarantine: Quarantine;
  readonly space: SpaceWatch;
  readonly storage: Storage;
  readonly stored: StoredRecords;
  readonly telemetry: Telemetry;
  /** Counts the synced batches of records, within each of them. */
  readonly journal: CommitJournal;
  /** A batch failed otherwise than for lack of space: only a new start of the node settles it. */
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
  readonly #slowLines = new LineBudget({ perSecond: 1, burst: 5 });
  #waiting: WaitingWrite[] = [];
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

  /** Writes that wait for the next commit. */
  get length(): number {
    return this.#waiting.length;
  }

  write(write: ReplicaWrite, deadline: Instant, onAnswer: OnAnswer): void {
    const { key, record, durability, purpose } = write;
    this.#enqueue({ key, record, durability, proven: false, deadline, onAnswer }, purpose);
  }

  /** Merges what enough peers hold to end a quarantine: `record`, or nothing at all. */
  prove(
    { key, record }: { key: RecordKey; record: KvRecord | undefined },
    deadline: Instant,
    onAnswer: OnAnswer,
  ): void {
    this.#enqueue({ key, record, durability: "sync", proven: true, deadline, onAnswer }, "repair");
  }

  /** Writes one entry of the node's own, with fsync, in the next batch. */
  put(put: StorageWrite): Promise<void> {
    if (this.#state !== "open") {
      const why = this.#state === "failed" ? "has failed" : "is closing";
      return Promise.reject(new StorageError("io", `the storage ${why}`));
    }
    if (!this.#modules.space.admits("repair")) {
      return Promise.reject(new StorageError("no-space", "the disk is full"));
    }
    return new Promise((resolve, reject) => {
      this.#puts.push({
        put,
        onDone: (error) => (error === undefined ? resolve() : reject(error)),
      });
      this.#schedule();
    });
  }

  /**
   * Commits what is queued and takes nothing more.
   * @returns whether every batch succeeded since the storage was opened.
   */
  async close(): Promise<boolean> {
    if (this.#state === "open") this.#state = "closing";
    while (this.#running !== undefined || this.#hasWork()) {
      this.#running ??= this.#run();
      await this.#running;
    }
    return this.#state !== "failed" && !this.#modules.space.isFull;
  }

  #enqueue(write: QueuedWrite, purpose: WritePurpose): void {
    const { clock, space, telemetry } = this.#modules;
    const { onAnswer } = write;
    if (this.#state !== "open") {
      onAnswer({ kind: "refused", reason: "stopping" });
    } else if (!space.admits(purpose)) {
      telemetry.metrics.refused.with("diskFreeBytesMin").add();
      onAnswer({ kind: "refused", reason: "no-space" });
    } else if (this.#waiting.length >= this.#options.commitQueueMax) {
      telemetry.metrics.refused.with("commitQueueMax").add();
      onAnswer({ kind: "refused", reason: "overloaded" });
    } else {
      this.#waiting.push({ ...write, queuedAt: clock.now() });
      this.#schedule();
    }
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
  #take(): readonly WaitingWrite[] {
    const { clock, telemetry } = this.#modules;
    const now = clock.now();
    const [first] = this.#waiting;
    if (first !== undefined) {
      telemetry.metrics.commitWait.with().observe((now - first.queuedAt) / 1_000);
    }
    const taken: WaitingWrite[] = [];
    let bytes = 0;
    let count = 0;
    for (const waiting of this.#waiting) {
      const size = waiting.record?.bytes.byteLength ?? 0;
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

  async #commit(writers: readonly WaitingWrite[], puts: readonly WaitingPut[]): Promise<void> {
    const { clock, journal, space, storage, telemetry } = this.#modules;
    const takenAt = clock.now();
    const commits = await this.#merge(KeyCommit.group(writers));
    const sync = puts.length > 0 || writers.some(({ durability }) => durability === "sync");
    const writes = puts.map(({ put }) => put);
    for (const { changes, write } of commits) {
      // What is stored already may never have been fsynced: it is written again when that matters.
      const isDurable = !sync || !this.#asyncCommitted;
      if (write !== undefined && (changes || !isDurable)) writes.push(write);
    }
    // The node's own entries do not count: to remember a peer's position would move the own one, and
    // idle nodes would write for ever.
    const advances = sync && writes.length > puts.length;
    if (advances) writes.push(journal.positionWrite());
    const begun = clock.now();
    try {
      if (writes.length > 0) await storage.batch(writes, { sync });
    } catch (error) {
      this.#fail(
        error,
        commits.flatMap((commit) => commit.writers),
        puts,
      );
      return;
    }
    if (advances) journal.advance();
    space.spent(bytesOf(writes));
    this.#asyncCommitted ||= !sync && writes.length > 0;
    telemetry.metrics.commitBatch.with().observe(writers.length);
    telemetry.metrics.commitDuration
      .with(sync ? "sync" : "async")
      .observe((clock.now() - begun) / 1000);
    this.#tellIfSlow(writers, { takenAt, readAt: begun, sync });
    for (const commit of commits) this.#finish(commit);
    for (const { onDone } of puts) onDone(undefined);
  }

  /** Of a commit that kept its first writer waiting: where the time went. */
  #tellIfSlow(
    writers: readonly WaitingWrite[],
    { takenAt, readAt, sync }: { takenAt: Instant; readAt: Instant; sync: boolean },
  ): void {
    const { clock, telemetry } = this.#modules;
    const now = clock.now();
    const queuedAt = writers[0]?.queuedAt ?? takenAt;
    if (now - queuedAt < this.#options.slowOperationMs) return;
    const suppressed = this.#slowLines.take(now);
    if (suppressed === undefined) {
      telemetry.metrics.refused.with("commitLinesMax").add();
      return;
    }
    const phases = {
      queueMs: Math.round(takenAt - queuedAt),
      readMs: Math.round(readAt - takenAt),
      [sync ? "fsyncMs" : "writeMs"]: Math.round(now - readAt),
    };
    telemetry.log.info({ ...phases, writes: writers.length, suppressed }, "a commit was slow");
  }

  /** Writers of a key whose old record cannot be read are answered here; the others' keys remain. */
  async #merge(commits: readonly KeyCommit[]): Promise<readonly KeyCommit[]> {
    const { cache, stored, telemetry } = this.#modules;
    const merged: KeyCommit[] = [];
    const uncached: KeyCommit[] = [];
    for (const commit of commits) {
      const cached = cache.lookUp(commit.key);
      if (cached === undefined) uncached.push(commit);
      else {
        commit.merge({ kind: "whole", record: cached.record });
        merged.push(commit);
      }
    }
    if (uncached.length === 0) return merged;
    const olds = await stored.getMany(uncached.map(({ key }) => key));
    const failed = olds.filter((old) => old.kind === "failed");
    if (failed[0] !== undefined) {
      telemetry.log.error({ err: failed[0].error, keys: failed.length }, "storage read failed");
    }
    for (const [i, commit] of uncached.entries()) {
      const old = olds[i];
      if (old === undefined || old.kind === "failed") {
        for (const { onAnswer } of commit.writers) onAnswer(DOUBT);
      } else {
        commit.merge(old);
        merged.push(commit);
      }
    }
    return merged;
  }

  #finish(commit: KeyCommit): void {
    const { cache, quarantine } = this.#modules;
    const { key, merged } = commit;
    if (commit.lifts) quarantine.lift(key);
    if (!commit.isWhole || merged === undefined) cache.drop(key);
    else if (commit.changes) cache.enterCommit(key, merged);
    for (const { onAnswer } of commit.writers) onAnswer(APPLIED);
  }

  /**
   * Whoever was at the disk is in doubt, whoever waits is refused. A full disk is waited for, and
   * `space` admits nothing before the storage was opened anew; any other failure is the end.
   */
  #fail(error: unknown, writers: readonly QueuedWrite[], puts: readonly WaitingPut[]): void {
    const isFull = storageErrorKind(error) === "no-space";
    if (isFull) this.#modules.space.filled(error);
    else this.#state = "failed";
    for (const { onAnswer } of writers) onAnswer(DOUBT);
    for (const { onDone } of puts) onDone(error);
    const waiting = this.#waiting;
    this.#waiting = [];
    const reason = isFull ? "no-space" : "stopping";
    for (const { onAnswer } of waiting) onAnswer({ kind: "refused", reason });
    const waitingPuts = this.#puts;
    this.#puts = [];
    for (const { onDone } of waitingPuts) onDone(error);
    if (!isFull) this.#modules.onStorageError(error);
  }
}
