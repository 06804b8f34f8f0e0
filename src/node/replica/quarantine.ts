import { latin1Text } from "../../core/bytes.ts";

import { bucketOfRecordKey, keyHash, partitionOfRecordKey } from "../../core/record-key.ts";
import type { RecordKey } from "../../core/record-key.ts";
import type { DamagedRecord } from "../../core/version/record.ts";
import type { UnconfirmedRecord } from "../../core/version/unconfirmed.ts";
import type { Telemetry } from "../../ports/telemetry.ts";
import type { RecordCache } from "./record-cache.ts";

/** Records known to be damaged at a time; over it they wait on the disk until they are met again. */
const QUARANTINE_MAX = 65_536;

/** Own checksum or format wrong; LevelDB cannot read its block; or written since that was found. */
type QuarantineReason = DamagedRecord["reason"] | "block" | UnconfirmedRecord["kind"];

interface QuarantineModules {
  readonly cache: RecordCache;
  readonly telemetry: Telemetry;
}

/**
 * The keys whose stored record this replica cannot vouch for: it answers no question about them and
 * mints nothing from them. What is written to them is stored as unconfirmed. A key leaves only when
 * its record was merged from enough peers to know whatever this replica may have acknowledged.
 */
export class Quarantine {
  readonly #modules: QuarantineModules;
  readonly #keys = new Map<string, RecordKey>();
  #onAdded: (key: RecordKey) => void = () => {};

  constructor(modules: QuarantineModules) {
    this.#modules = modules;
    this.#show();
  }

  has(key: RecordKey): boolean {
    return this.#keys.size > 0 && this.#keys.has(latin1Text(key));
  }

  /** Whether any of the keys here is one of those. */
  hasAny(isOneOf: (key: RecordKey) => boolean): boolean {
    for (const key of this.#keys.values()) if (isOneOf(key)) return true;
    return false;
  }

  /** Tells of the keys that are here and of all that come. */
  watch(onAdded: (key: RecordKey) => void): void {
    this.#onAdded = onAdded;
    for (const key of this.#keys.values()) onAdded(key);
  }

  add(key: RecordKey, reason: QuarantineReason): void {
    if (this.has(key)) return;
    const { cache, telemetry } = this.#modules;
    telemetry.metrics.damagedRecords.with(reason).add();
    cache.drop(key);
    if (this.#keys.size >= QUARANTINE_MAX) {
      telemetry.metrics.refused.with("quarantineMax").add();
      return;
    }
    telemetry.log.error(
      {
        reason,
        bucket: bucketOfRecordKey(key),
        partition: partitionOfRecordKey(key),
        keyHash: keyHash(key),
      },
      "a stored record is damaged; it is to be repaired from its other replicas",
    );
    this.#keys.set(latin1Text(key), key);
    this.#show();
    this.#onAdded(key);
  }

  lift(key: RecordKey): void {
    this.#keys.delete(latin1Text(key));
    this.#show();
  }

  #show(): void {
    this.#modules.telemetry.metrics.quarantinedRecords.with().set(this.#keys.size);
  }
}
