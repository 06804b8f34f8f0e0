import type { RecordKey } from "../../core/record-key.ts";
import type { KvRecord } from "../../core/version/record.ts";
import { decodeStored } from "../../core/version/unconfirmed.ts";
import type { Clock } from "../../ports/clock.ts";
import { storageErrorKind } from "../../ports/storage.ts";
import type { Storage } from "../../ports/storage.ts";
import type { Telemetry } from "../../ports/telemetry.ts";
import type { Quarantine } from "./quarantine.ts";

/** What a replica can say of a key from its disk. */
export type Stored =
  /** Its record, or proof that there is none. */
  | { readonly kind: "whole"; readonly record: KvRecord | undefined }
  /** Nothing, except that `record` was written since the damage was found. */
  | { readonly kind: "quarantined"; readonly record: KvRecord | undefined }
  | { readonly kind: "failed"; readonly error: unknown };

type Found =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array | undefined }
  | { readonly kind: "failed"; readonly error: unknown };

interface StoredRecordsModules {
  readonly clock: Clock;
  readonly storage: Storage;
  readonly quarantine: Quarantine;
  readonly telemetry: Telemetry;
}

/** Reads records from the storage so that damage to one of them is the misfortune of its key alone. */
export class StoredRecords {
  readonly #modules: StoredRecordsModules;

  constructor(modules: StoredRecordsModules) {
    this.#modules = modules;
  }

  /** One answer a key, in the order of `keys`. Never rejects. */
  async getMany(keys: readonly RecordKey[]): Promise<readonly Stored[]> {
    const { clock, telemetry } = this.#modules;
    const begun = clock.now();
    const found = await this.#find(keys);
    telemetry.metrics.readDuration.with().observe((clock.now() - begun) / 1_000);
    return keys.map((key, i) => this.#judge(key, found[i] ?? { kind: "bytes", bytes: undefined }));
  }

  /** What these bytes, found under the key, stand for. */
  judge(key: RecordKey, bytes: Uint8Array): Stored {
    return this.#judge(key, { kind: "bytes", bytes });
  }

  /**
   * One bad block rejects a whole call. Halving it finds the keys that are to blame in at most
   * 2n − 1 calls, and in about 2 log n when there is one of them.
   */
  async #find(keys: readonly RecordKey[]): Promise<readonly Found[]> {
    try {
      const values = await this.#modules.storage.getMany(keys);
      return values.map((bytes) => ({ kind: "bytes", bytes }));
    } catch (error) {
      if (keys.length <= 1) return keys.map(() => ({ kind: "failed", error }));
      const half = keys.length >> 1;
      const first = await this.#find(keys.slice(0, half));
      return [...first, ...(await this.#find(keys.slice(half)))];
    }
  }

  #judge(key: RecordKey, found: Found): Stored {
    const { quarantine } = this.#modules;
    if (found.kind === "failed") {
      if (storageErrorKind(found.error) !== "corruption") return found;
      quarantine.add(key, "block");
      return { kind: "quarantined", record: undefined };
    }
    const { bytes } = found;
    const stored = bytes === undefined ? undefined : decodeStored(key, bytes);
    if (stored?.kind === "damaged") {
      quarantine.add(key, stored.reason);
      return { kind: "quarantined", record: undefined };
    }
    if (stored?.kind === "unconfirmed") {
      quarantine.add(key, "unconfirmed");
      return { kind: "quarantined", record: stored.record };
    }
    // Bytes that are right again, or gone, are no proof that nothing newer was lost.
    return { kind: quarantine.has(key) ? "quarantined" : "whole", record: stored };
  }
}
