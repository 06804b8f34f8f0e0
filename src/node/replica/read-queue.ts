import type { Answer } from "../../core/answer.ts";
import type { RecordKey } from "../../core/record-key.ts";
import { decodeRecord } from "../../core/version/record.ts";
import type { KvRecord } from "../../core/version/record.ts";
import type { Clock, Instant } from "../../ports/clock.ts";
import type { Storage } from "../../ports/storage.ts";
import type { Telemetry } from "../../ports/telemetry.ts";
import type { ReadTicket, RecordCache } from "./record-cache.ts";

interface Waiting {
  readonly key: RecordKey;
  readonly ticket: ReadTicket;
  readonly onAnswer: (answer: Answer<KvRecord | undefined>) => void;
}

interface ReadQueueModules {
  readonly cache: RecordCache;
  readonly clock: Clock;
  readonly storage: Storage;
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
    const { storage, telemetry } = this.#modules;
    const batch = this.#waiting;
    this.#waiting = [];
    let values: readonly (Uint8Array | undefined)[];
    try {
      values = await storage.getMany(batch.map(({ key }) => key));
    } catch (error) {
      this.#outstanding -= batch.length;
      telemetry.log.error({ err: error, reads: batch.length }, "storage read failed");
      for (const { onAnswer } of batch) onAnswer({ kind: "unknown", reason: "storage-error" });
      return;
    }
    this.#outstanding -= batch.length;
    for (const [i, { key, ticket, onAnswer }] of batch.entries()) {
      const answer = this.#decode(key, values[i]);
      if (answer.kind === "ok") this.#modules.cache.enterRead(key, answer.value, ticket);
      onAnswer(answer);
    }
  }

  #decode(key: RecordKey, bytes: Uint8Array | undefined): Answer<KvRecord | undefined> {
    if (bytes === undefined) return { kind: "ok", value: undefined };
    const record = decodeRecord(key, bytes);
    if (record.kind === "record") return { kind: "ok", value: record };
    this.#modules.telemetry.metrics.damagedRecords.with(record.reason).add();
    return { kind: "refused", reason: "damaged-record" };
  }
}
