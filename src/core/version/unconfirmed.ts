import { concatBytes } from "../bytes.ts";
import type { RecordKey } from "../record-key.ts";
import { decodeRecord } from "./record.ts";
import type { DamagedRecord, KvRecord } from "./record.ts";

/**
 * What was written to a key whose stored record is damaged: durable, but no answer to any question
 * until it was merged with what a quorum of peers holds, because the damaged record may have been
 * newer. On disk it is the record behind one byte that no record begins with, so that the doubt is
 * stored with the record itself and whoever reads records takes it for a damaged one.
 */
export interface UnconfirmedRecord {
  readonly kind: "unconfirmed";
  readonly record: KvRecord;
}

const MARK = 0xff;

export function unconfirmedBytes({ bytes }: KvRecord): Uint8Array {
  return concatBytes([Uint8Array.of(MARK), bytes]);
}

/** What a replica finds stored under a key. */
export function decodeStored(
  key: RecordKey,
  bytes: Uint8Array,
): KvRecord | UnconfirmedRecord | DamagedRecord {
  if (bytes[0] !== MARK) return decodeRecord(key, bytes);
  const record = decodeRecord(key, bytes.subarray(1));
  return record.kind === "record" ? { kind: "unconfirmed", record } : record;
}
