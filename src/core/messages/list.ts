import { copyBytes, compareBytes, EMPTY_BYTES } from "../bytes.ts";
import { DecodeError } from "../codec.ts";
import type { ByteReader, ByteWriter } from "../codec.ts";
import type { Stamp } from "../hlc.ts";
import { isBucketName, KEY_BYTES_MAX } from "../ids.ts";
import type { Key } from "../ids.ts";
import { PARTITION_COUNT } from "../layout/partition.ts";
import { isWithin } from "../listing/key-range.ts";
import type { KeyRange } from "../listing/key-range.ts";
import type { OrderedPage, PageEntry } from "../listing/merge-pages.ts";
import { partitionOfRecordKey, recordKey } from "../record-key.ts";
import { decodeRecord } from "../version/record.ts";
import type { KvRecord } from "../version/record.ts";

/** What a replica holds of a range of keys, in some of its partitions. */
export interface ListRequest {
  readonly range: KeyRange;
  /** Ascending, each once. */
  readonly partitions: readonly number[];
  /** At most {@link LIST_ENTRIES_MAX}. */
  readonly entriesMax: number;
}

/** Outlines of the records, dead ones among them. */
export interface ListAnswer extends OrderedPage<KvRecord> {
  /** Of the replica: expiry is judged by it. */
  readonly clock: Stamp;
}

export const LIST_ENTRIES_MAX = 1_000;

const PAGE_GOES_ON = 0x33;
const PAGE_ENDS = 0x55;
const BITMAP_BYTES = PARTITION_COUNT / 8;
/** Before key and record of an entry. */
const LENGTHS_BYTES = 6;

export function encodeList(
  writer: ByteWriter,
  { range, partitions, entriesMax }: ListRequest,
): void {
  const { bucket, prefix, after = EMPTY_BYTES } = range;
  writer.shortText(bucket);
  for (const bytes of [prefix, after]) {
    writer.u16(bytes.byteLength);
    writer.bytes(bytes);
  }
  writer.u16(entriesMax);
  const bitmap = new Uint8Array(BITMAP_BYTES);
  for (const partition of partitions) {
    bitmap[partition >> 3] = (bitmap[partition >> 3] ?? 0) | (1 << (partition & 7));
  }
  writer.bytes(bitmap);
}

/** @throws DecodeError */
export function decodeList(reader: ByteReader): ListRequest {
  const bucket = reader.shortText();
  const prefix = copyBytes(reader.bytes(reader.u16()));
  const after = copyBytes(reader.bytes(reader.u16()));
  const entriesMax = reader.u16();
  const bitmap = reader.bytes(BITMAP_BYTES);
  reader.finish();
  if (!isBucketName(bucket)) throw new DecodeError("no bucket name");
  if (prefix.byteLength > KEY_BYTES_MAX || after.byteLength > KEY_BYTES_MAX) {
    throw new DecodeError("no key is as long");
  }
  if (entriesMax < 1 || entriesMax > LIST_ENTRIES_MAX) throw new DecodeError("no page of entries");
  const range = { bucket, prefix, after: after.byteLength === 0 ? undefined : (after as Key) };
  return { range, partitions: partitionsOf(bitmap), entriesMax };
}

function partitionsOf(bitmap: Uint8Array): readonly number[] {
  const partitions = Array.from({ length: PARTITION_COUNT }, (_, partition) => partition).filter(
    (partition) => ((bitmap[partition >> 3] ?? 0) >> (partition & 7)) & 1,
  );
  if (partitions.length === 0) throw new DecodeError("no partition is asked for");
  return partitions;
}

/** What an entry takes of a page. */
export function listEntryBytes({ key, value }: PageEntry<KvRecord>): number {
  return LENGTHS_BYTES + key.byteLength + value.bytes.byteLength;
}

export function encodeListPage(writer: ByteWriter, { clock, entries, ended }: ListAnswer): void {
  writer.u64(clock);
  writer.u8(ended ? PAGE_ENDS : PAGE_GOES_ON);
  for (const { key, value } of entries) {
    writer.u16(key.byteLength);
    writer.bytes(key);
    writer.u32(value.bytes.byteLength);
    writer.bytes(value.bytes);
  }
}

/**
 * Of an answer to this request. A key out of order, or one that was not asked for, would make a
 * listing leave others out.
 * @throws DecodeError; the answer then counts as unknown.
 */
export function decodeListPage(reader: ByteReader, request: ListRequest): ListAnswer {
  const clock = reader.u64() as Stamp;
  const kind = reader.u8();
  if (kind !== PAGE_ENDS && kind !== PAGE_GOES_ON) throw new DecodeError("no page");
  const partitions = new Set(request.partitions);
  const entries: PageEntry<KvRecord>[] = [];
  while (!reader.ended) {
    const entry = decodeEntry(reader, request.range, partitions);
    const before = entries.at(-1)?.key;
    if (before !== undefined && compareBytes(before, entry.key) >= 0) {
      throw new DecodeError("keys ascend");
    }
    entries.push(entry);
  }
  const ended = kind === PAGE_ENDS;
  if (!ended && entries.length === 0) throw new DecodeError("a page without entries goes on");
  return { clock, entries, ended };
}

function decodeEntry(
  reader: ByteReader,
  range: KeyRange,
  partitions: ReadonlySet<number>,
): PageEntry<KvRecord> {
  const key = copyBytes(reader.bytes(reader.u16())) as Key;
  if (key.byteLength === 0 || key.byteLength > KEY_BYTES_MAX) throw new DecodeError("no key");
  const address = recordKey(range.bucket, key);
  if (!partitions.has(partitionOfRecordKey(address)) || !isWithin(range, key)) {
    throw new DecodeError("a key that was not asked for");
  }
  const value = decodeRecord(address, copyBytes(reader.bytes(reader.u32())));
  if (value.kind === "damaged") throw new DecodeError(`record damaged: ${value.reason}`);
  return { key, value };
}
