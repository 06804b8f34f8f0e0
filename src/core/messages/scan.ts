import { copyBytes, EMPTY_BYTES } from "../bytes.ts";
import { ByteReader, DecodeError } from "../codec.ts";
import type { ByteWriter } from "../codec.ts";
import { parseRecordKey } from "../record-key.ts";
import type { RecordKey } from "../record-key.ts";
import { decodeRecord } from "../version/record.ts";
import type { KvRecord } from "../version/record.ts";

/** Records of one partition in key order, from after `after` on. */
export interface ScanRequest {
  readonly partition: number;
  readonly after: RecordKey | undefined;
}

export interface ScanPage {
  readonly entries: readonly { readonly key: RecordKey; readonly record: KvRecord }[];
  /** Where the next page begins; undefined: the partition ends here. */
  readonly next: RecordKey | undefined;
}

export function encodeScan(writer: ByteWriter, { partition, after }: ScanRequest): void {
  writer.u16(partition);
  encodeBytes(writer, after ?? EMPTY_BYTES);
}

/** @throws DecodeError */
export function decodeScan(reader: ByteReader): ScanRequest {
  const partition = reader.u16();
  const after = decodeBytes(reader);
  reader.finish();
  return { partition, after: after.byteLength === 0 ? undefined : keyOf(after) };
}

export function encodeScanPage(writer: ByteWriter, { entries, next }: ScanPage): void {
  encodeBytes(writer, next ?? EMPTY_BYTES);
  for (const { key, record } of entries) {
    encodeBytes(writer, key);
    encodeBytes(writer, record.bytes);
  }
}

/** @throws DecodeError; the answer then counts as unknown. */
export function decodeScanPage(payload: Uint8Array): ScanPage {
  const reader = new ByteReader(payload);
  const next = decodeBytes(reader);
  const entries: { key: RecordKey; record: KvRecord }[] = [];
  while (!reader.ended) {
    const key = keyOf(decodeBytes(reader));
    const record = decodeRecord(key, copyBytes(decodeBytes(reader)));
    if (record.kind === "damaged") throw new DecodeError(`record damaged: ${record.reason}`);
    entries.push({ key, record });
  }
  return { entries, next: next.byteLength === 0 ? undefined : keyOf(next) };
}

function encodeBytes(writer: ByteWriter, bytes: Uint8Array): void {
  writer.u32(bytes.byteLength);
  writer.bytes(bytes);
}

function decodeBytes(reader: ByteReader): Uint8Array {
  return reader.bytes(reader.u32());
}

function keyOf(bytes: Uint8Array): RecordKey {
  const key = parseRecordKey(copyBytes(bytes));
  if (key === undefined) throw new DecodeError("no record key");
  return key;
}
