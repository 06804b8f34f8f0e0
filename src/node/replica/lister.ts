import type { Answer, Failure } from "../../core/answer.ts";
import { compareBytes } from "../../core/bytes.ts";
import type { Key } from "../../core/ids.ts";
import { boundsIn, isWithin } from "../../core/listing/key-range.ts";
import type { KeyRange } from "../../core/listing/key-range.ts";
import { mergePages } from "../../core/listing/merge-pages.ts";
import type { MergedPages, OrderedPage, PageEntry } from "../../core/listing/merge-pages.ts";
import { listEntryBytes } from "../../core/messages/list.ts";
import type { ListRequest } from "../../core/messages/list.ts";
import {
  bucketOfRecordKey,
  keyOfRecordKey,
  parseRecordKey,
  partitionOfRecordKey,
} from "../../core/record-key.ts";
import { outlineOf } from "../../core/version/outline.ts";
import type { KvRecord } from "../../core/version/record.ts";
import type { Clock, Instant } from "../../ports/clock.ts";
import type { Storage, StoragePage } from "../../ports/storage.ts";
import type { Telemetry } from "../../ports/telemetry.ts";
import type { Quarantine } from "./quarantine.ts";
import type { StoredRecords } from "./stored-records.ts";

/** Lists answered at a time, whoever asks; further ones wait, so many at most. */
const LISTS_MAX = 4;
const LISTS_WAITING_MAX = 256;
/** Partitions read at a time for one list. */
const SCANS_MAX = 16;
/** Of records, read at a time in one partition; a larger record is read alone. */
const SCAN_BYTES_MAX = 64 * 1024;
/** Records read for one list; what is read in the first place, a little of each partition, is always read. */
const READ_BYTES_MAX = 64 * 1024 * 1024;
/** Further reads of partitions that turned out to hold more of the page's keys than their share. */
const EXTENSIONS_MAX = 64;
/** Outlines in one answer, at least one. */
const ANSWER_BYTES_MAX = 256 * 1024;

type Page = OrderedPage<KvRecord>;
/** `damaged`: there is a key, and nothing that this replica can vouch for. */
type Found = KvRecord | "damaged";

interface ListerModules {
  readonly clock: Clock;
  readonly quarantine: Pick<Quarantine, "hasAny">;
  readonly storage: Pick<Storage, "scan">;
  readonly stored: Pick<StoredRecords, "judge">;
  readonly telemetry: Telemetry;
}

/** What is known of one partition's keys: those read so far, and whether these are all. */
interface Run extends OrderedPage<Found> {
  readonly partition: number;
  /** Of the records behind them. */
  readonly bytes: number;
}

/**
 * Pages of the keys that this replica stores, over many partitions in one order. Each partition is
 * read a little way; the page goes as far as the one that was read least far. A gap must not pass
 * for absence: a page with anything damaged in it is refused.
 */
export class Lister {
  readonly #modules: ListerModules;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(modules: ListerModules) {
    this.#modules = modules;
  }

  page(request: ListRequest, deadline: Instant, onAnswer: (answer: Answer<Page>) => void): void {
    const start = (): void => void this.#run(request, deadline, onAnswer);
    if (this.#running < LISTS_MAX) return start();
    if (this.#waiting.length >= LISTS_WAITING_MAX) {
      this.#modules.telemetry.metrics.refused.with("listsWaitingMax").add();
      return onAnswer({ kind: "refused", reason: "overloaded" });
    }
    this.#waiting.push(start);
  }

  async #run(
    request: ListRequest,
    deadline: Instant,
    onAnswer: (answer: Answer<Page>) => void,
  ): Promise<void> {
    this.#running += 1;
    const answer = await this.#answer(request, deadline);
    this.#running -= 1;
    this.#waiting.shift()?.();
    onAnswer(answer);
  }

  async #answer(request: ListRequest, deadline: Instant): Promise<Answer<Page>> {
    const { telemetry } = this.#modules;
    try {
      const runs = await this.#read(request, deadline);
      return "kind" in runs ? runs : this.#pageOf(mergePages(runs), request);
    } catch (error) {
      telemetry.log.error({ err: error }, "a list failed");
      return { kind: "unknown", reason: "storage-error" };
    }
  }

  /** Reads on wherever the page would end early, until it is full or enough was read for it. */
  async #read(
    { range, partitions, entriesMax }: ListRequest,
    deadline: Instant,
  ): Promise<readonly Run[] | Failure> {
    const share = entriesMax / partitions.length;
    // The keys of a page are spread over the partitions by hash: few have many more than their share.
    const entries = Math.ceil(share + 3 * Math.sqrt(share)) + 2;
    const runs = new Map<number, Run>(
      partitions.map((partition) => [
        partition,
        { partition, entries: [], bytes: 0, ended: false },
      ]),
    );
    let open = [...runs.values()];
    for (let extensions = 0; open.length > 0; extensions++) {
      const failure = await this.#extend(runs, open, { range, entries, deadline });
      if (failure !== undefined) return failure;
      const all = [...runs.values()];
      const bytes = all.reduce((sum, run) => sum + run.bytes, 0);
      if (extensions === EXTENSIONS_MAX || bytes > READ_BYTES_MAX) break;
      if (mergePages(all).entries.length >= entriesMax) break;
      open = shortest(all);
    }
    return [...runs.values()];
  }

  /** Reads each of these a little further. @returns why it did not come to that. */
  async #extend(
    runs: Map<number, Run>,
    open: readonly Run[],
    { range, entries, deadline }: { range: KeyRange; entries: number; deadline: Instant },
  ): Promise<Failure | undefined> {
    const { clock, storage } = this.#modules;
    for (let at = 0; at < open.length; at += SCANS_MAX) {
      if (clock.now() > deadline) return { kind: "refused", reason: "expired" };
      const some = open.slice(at, at + SCANS_MAX);
      const read = await Promise.all(
        some.map(async (run) => {
          const after = run.entries.at(-1)?.key ?? range.after;
          const bounds = { entriesMax: entries, bytesMax: SCAN_BYTES_MAX };
          const page = await storage.scan(boundsIn({ ...range, after }, run.partition), bounds);
          const further = this.#found(page);
          return further && longer(run, further, page);
        }),
      );
      for (const run of read) {
        if (run === undefined) return DAMAGED;
        runs.set(run.partition, run);
      }
    }
    return undefined;
  }

  /** @returns undefined: something is there of which not even the key is known. */
  #found({ entries, damaged, ended }: StoragePage): readonly PageEntry<Found>[] | undefined {
    if (damaged || (entries.length === 0 && !ended)) return undefined;
    const found: PageEntry<Found>[] = [];
    for (const { key: bytes, value } of entries) {
      const address = parseRecordKey(bytes);
      if (address === undefined) return undefined;
      const stored = this.#modules.stored.judge(address, value);
      const record = stored.kind === "whole" ? stored.record : undefined;
      found.push({
        key: keyOfRecordKey(address),
        value: record === undefined ? "damaged" : outlineOf(address, record),
      });
    }
    return found;
  }

  #pageOf({ entries: known, through }: MergedPages<Found>, request: ListRequest): Answer<Page> {
    const entries: PageEntry<KvRecord>[] = [];
    let bytes = 0;
    for (const { key, values } of known) {
      const [value] = values;
      if (value === undefined || value === "damaged") return DAMAGED;
      bytes += listEntryBytes({ key, value });
      if (entries.length >= request.entriesMax) break;
      if (bytes > ANSWER_BYTES_MAX && entries.length > 0) break;
      entries.push({ key, value });
    }
    const ended = through === undefined && entries.length === known.length;
    const end = ended ? undefined : entries.at(-1)?.key;
    if (this.#lacks(request, end)) return DAMAGED;
    return { kind: "ok", value: { entries, ended } };
  }

  /** Whether a key of the page is quarantined, although nothing may be stored for it any more. */
  #lacks({ range, partitions }: ListRequest, end: Key | undefined): boolean {
    const asked = new Set(partitions);
    return this.#modules.quarantine.hasAny((address) => {
      if (!asked.has(partitionOfRecordKey(address))) return false;
      if (bucketOfRecordKey(address) !== range.bucket) return false;
      const key = keyOfRecordKey(address);
      return isWithin(range, key) && (end === undefined || compareBytes(key, end) <= 0);
    });
  }
}

function longer(run: Run, further: readonly PageEntry<Found>[], page: StoragePage): Run {
  return {
    partition: run.partition,
    entries: [...run.entries, ...further],
    bytes: page.entries.reduce((sum, { value }) => sum + value.byteLength, run.bytes),
    ended: page.ended,
  };
}

/** Those that were read least far: while they stay so, the page ends with them. */
function shortest(runs: readonly Run[]): Run[] {
  return runs
    .filter(({ ended }) => !ended)
    .toSorted((a, b) => compareBytes(lastOf(a), lastOf(b)))
    .slice(0, SCANS_MAX);
}

function lastOf({ entries }: Run): Uint8Array {
  return entries.at(-1)?.key ?? new Uint8Array();
}

const DAMAGED: Failure = { kind: "refused", reason: "damaged-record" };
