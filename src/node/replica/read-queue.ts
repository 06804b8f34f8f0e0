import type { Answer } from "../../core/answer.ts";
import type { RecordKey } from "../../core/record-key.ts";
import type { KvRecord } from "../../core/version/record.ts";
import type { Clock, Instant } from "../../ports/clock.ts";
import type { Telemetry } from "../../ports/telemetry.ts";
import type { ReadTicket, RecordCache } from "./record-cache.ts";
import type { Stored, StoredRecords } from "./stored-records.ts";

interface Waiting {
  readonly key: RecordKey;
  readonly ticket: ReadTicket;
  readonly onAnswer: (answer: Answer<KvRecord | undefined>) => void;
}

interface ReadQueueModules {
  readonly cache: RecordCache;
  readonly clock: Clock;
  readonly stored: StoredRecords;
  readonly telemetry: Telemetry;
}

/** Reads of what is not cached; those that arrive together become one `getMany`. */
export class ReadQueue {
  readonly #readQueueMax: number;
  readonly #modules: ReadQueueModules;
  #waiting: Waiting[] = [];
  /** Queued or under way. */
  #outstanding = 0;

  constructor({ readQueueMax }: { readQueueMax: number }, modules: ReadQueueModules) {
    this.#readQueueMax = readQueueMax;
    this.#modules = modules;
  }

  /** Reads that wait for the storage or are under way there. */
  get length(): number {
    return this.#outstanding;
  }

  read(
    key: RecordKey,
    deadline: Instant,
    onAnswer: (answer: Answer<KvRecord | undefined>) => void,
  ): void {
    const { cache, clock, telemetry } = this.#modules;
    if (clock.now() > deadline) {
      onAnswer({ kind: "refused", reason: "expired" });
      return;
    }
    const cached = cache.lookUp(key);
    if (cached !== undefined) {
      onAnswer({ kind: "ok", value: cached.record });
      return;
    }
    if (this.#outstanding >= this.#readQueueMax) {
      telemetry.metrics.refused.with("readQueueMax").add();
      onAnswer({ kind: "refused", reason: "overloaded" });
      return;
    }
    this.#outstanding += 1;
    this.#waiting.push({ key, ticket: cache.ticket(key), onAnswer });
    if (this.#waiting.length === 1) clock.soon(() => void this.#flush());
  }

  async #flush(): Promise<void> {
    const { cache, stored, telemetry } = this.#modules;
    const batch = this.#waiting;
    this.#waiting = [];
    const found = await stored.getMany(batch.map(({ key }) => key));
    this.#outstanding -= batch.length;
    const failed = found.filter((each) => each.kind === "failed");
    if (failed[0] !== undefined) {
      telemetry.log.error({ err: failed[0].error, reads: failed.length }, "storage read failed");
    }
    for (const [i, { key, ticket, onAnswer }] of batch.entries()) {
      const each = found[i];
      if (each?.kind === "whole") cache.enterRead(key, each.record, ticket);
      onAnswer(answerOf(each));
    }
  }
}

function answerOf(stored: Stored | undefined): Answer<KvRecord | undefined> {
  if (stored?.kind === "whole") return { kind: "ok", value: stored.record };
  if (stored?.kind === "quarantined") return { kind: "refused", reason: "damaged-record" };
  return { kind: "unknown", reason: "storage-error" };
}
