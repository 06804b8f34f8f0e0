import type { Answer } from "../../core/answer.ts";
import { scanEntryBytes } from "../../core/messages/scan.ts";
import type { ScanPage, ScanRequest } from "../../core/messages/scan.ts";
import { parseRecordKey, recordKeyPrefix } from "../../core/record-key.ts";
import type { RecordKey } from "../../core/record-key.ts";
import { decodeRecord } from "../../core/version/record.ts";
import type { DamagedRecord, KvRecord } from "../../core/version/record.ts";
import type { Clock, Instant } from "../../ports/clock.ts";
import type { Storage, StoragePage } from "../../ports/storage.ts";
import type { Telemetry } from "../../ports/telemetry.ts";

/** A page is as large as foreground work can bear at a time; a larger record is a page of its own. */
const SCAN_BYTES_MAX = 256 * 1024;
const SCAN_ENTRIES_MAX = 1_000;
/** Pages read at a time, whoever asks. */
const SCANS_MAX = 4;

interface ScanServerModules {
  readonly clock: Clock;
  readonly storage: Storage;
  readonly telemetry: Telemetry;
  readonly isWhole: (partition: number) => boolean;
  /** A stored record turned out to be damaged. */
  readonly onDamaged: (key: RecordKey, reason: DamagedRecord["reason"]) => void;
}

/**
 * Hands out this node's partitions, page by page, to peers that copy them. A gap must not pass for
 * absence: a partition that is not whole is refused, and so is a page with anything damaged in it.
 */
export class ScanServer {
  readonly #modules: ScanServerModules;
  #running = 0;

  constructor(modules: ScanServerModules) {
    this.#modules = modules;
  }

  async scan({ partition, after }: ScanRequest, deadline: Instant): Promise<Answer<ScanPage>> {
    const { clock, isWhole, storage, telemetry } = this.#modules;
    if (clock.now() > deadline) return { kind: "refused", reason: "expired" };
    if (!isWhole(partition)) return { kind: "refused", reason: "resynchronising" };
    if (this.#running >= SCANS_MAX) {
      telemetry.metrics.refused.with("scansMax").add();
      return { kind: "refused", reason: "overloaded" };
    }
    this.#running += 1;
    try {
      const page = await storage.scan(
        { after: after ?? recordKeyPrefix(partition), before: recordKeyPrefix(partition + 1) },
        { entriesMax: SCAN_ENTRIES_MAX, bytesMax: SCAN_BYTES_MAX },
      );
      return this.#answer(page);
    } catch (error) {
      telemetry.log.error({ err: error, partition }, "a scan failed");
      return { kind: "unknown", reason: "storage-error" };
    } finally {
      this.#running -= 1;
    }
  }

  #answer({ entries: stored, ended, damaged }: StoragePage): Answer<ScanPage> {
    const entries: { key: RecordKey; record: KvRecord }[] = [];
    let bytes = 0;
    for (const { key, value } of stored) {
      bytes += scanEntryBytes(key, value);
      if (bytes > SCAN_BYTES_MAX && entries.length > 0) break;
      const address = parseRecordKey(key);
      const record = address && decodeRecord(address, value);
      if (address === undefined || record === undefined) return DAMAGED;
      if (record.kind === "damaged") {
        this.#modules.onDamaged(address, record.reason);
        return DAMAGED;
      }
      entries.push({ key: address, record });
    }
    if (damaged) return DAMAGED;
    return { kind: "ok", value: { entries, ended: ended && entries.length === stored.length } };
  }
}

const DAMAGED: Answer<ScanPage> = { kind: "refused", reason: "damaged-record" };
