import { copyBytes, EMPTY_BYTES } from "../bytes.ts";
import { DecodeError } from "../codec.ts";
import type { ByteReader, ByteWriter } from "../codec.ts";
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
  /** The next page begins after the last one. */
  readonly entries: readonly { readonly key: RecordKey; readonly record: KvRecord }[];
  /** The partition ends here. A page that does not end it holds an entry. */
  readonly ended: boolean;
}

const PAGE_GOES_ON = 0x33;
const PAGE_ENDS = 0x55;
/** Before key and record of an entry. */
const LENGTHS_BYTES = 8;

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

/** What an entry takes of a page. */
export function scanEntryBytes(key: Uint8Array, value: Uint8Array): number {
  return LENGTHS_BYTES + key.byteLength + value.byteLength;
}

export function encodeScanPage(writer: ByteWriter, { entries, ended }: ScanPage): void {
  writer.u8(ended ? PAGE_ENDS : PAGE_GOES_ON);
  for (const { key, record } of entries) {
    encodeBytes(writer, key);
    encodeBytes(writer, record.bytes);
  }
}

/** @throws DecodeError; the answer then counts as unknown. */
export function decodeScanPage(reader: ByteReader): ScanPage {
  const kind = reader.u8();
  if (kind !== PAGE_ENDS && kind !== PAGE_GOES_ON) throw new DecodeError("no page");
  const entries: { key: RecordKey; record: KvRecord }[] = [];
  while (!reader.ended) {
    const key = keyOf(decodeBytes(reader));
    const record = decodeRecord(key, copyBytes(decodeBytes(reader)));
    if (record.kind === "damaged") throw new DecodeError(`record damaged: ${record.reason}`);
    entries.push({ key, record });
  }
  const ended = kind === PAGE_ENDS;
  if (!ended && entries.length === 0) throw new DecodeError("a page without entries goes on");
  return { entries, ended };
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
