import type { Answer } from "../../core/answer.ts";
import type { Durability } from "../../core/bucket.ts";
import { latin1Text } from "../../core/bytes.ts";
import type { RecordKey } from "../../core/record-key.ts";
import { mergeModel } from "../../core/version/merge.ts";
import type { KvRecord } from "../../core/version/record.ts";
import { unconfirmedBytes } from "../../core/version/unconfirmed.ts";
import type { Instant } from "../../ports/clock.ts";
import type { StorageWrite } from "../../ports/storage.ts";
import type { Stored } from "./stored-records.ts";

/** A record on its way to the disk. */
export interface QueuedWrite {
  readonly key: RecordKey;
  /** undefined: enough peers hold nothing. */
  readonly record: KvRecord | undefined;
  readonly durability: Durability;
  /** Merged from enough peers to know whatever this replica may have acknowledged: ends a quarantine. */
  readonly proven: boolean;
  readonly deadline: Instant;
  readonly onAnswer: (answer: Answer<"applied">) => void;
}

/** All writes of one batch to one key, and what they come to. */
export class KeyCommit {
  readonly key: RecordKey;
  readonly writers: QueuedWrite[] = [];
  merged: KvRecord | undefined;
  #stored: KvRecord | undefined;
  #before: "whole" | "quarantined" = "whole";

  private constructor(key: RecordKey) {
    this.key = key;
  }

  static group(writers: readonly QueuedWrite[]): readonly KeyCommit[] {
    const byKey = new Map<string, KeyCommit>();
    for (const writer of writers) {
      const id = latin1Text(writer.key);
      let commit = byKey.get(id);
      if (commit === undefined) byKey.set(id, (commit = new KeyCommit(writer.key)));
      commit.writers.push(writer);
    }
    return [...byKey.values()];
  }

  /** What a quarantined key holds is merged like any other record; it is the doubt that stays. */
  merge(stored: Exclude<Stored, { kind: "failed" }>): void {
    this.#before = stored.kind;
    this.#stored = stored.record;
    this.merged = stored.record;
    for (const { record } of this.writers) {
      if (record === undefined) continue;
      this.merged = mergeModel(record.mode).merge(this.key, this.merged, record);
    }
  }

  get lifts(): boolean {
    return this.#before === "quarantined" && this.writers.some(({ proven }) => proven);
  }

  /** Afterwards the replica can vouch for the record. */
  get isWhole(): boolean {
    return this.#before === "whole" || this.lifts;
  }

  get changes(): boolean {
    return this.merged !== this.#stored || this.lifts;
  }

  /** What brings the disk to `merged`; a proof that nothing is there removes the damaged bytes. */
  get write(): StorageWrite | undefined {
    const { key, merged } = this;
    if (merged === undefined) return this.lifts ? { key, value: undefined } : undefined;
    return { key, value: this.isWhole ? merged.bytes : unconfirmedBytes(merged) };
  }
}
