import { EMPTY_BYTES, latin1Text } from "../bytes.ts";
import { ACTOR_BYTES } from "../causal/causal-context.ts";
import { ByteReader, ByteWriter, DecodeError } from "../codec.ts";
import { crc32 } from "../hash.ts";
import type { Stamp } from "../hlc.ts";
import type { ActorId } from "../ids.ts";
import type { RecordKey } from "../record-key.ts";
import { RECENT_ENTRY_BYTES, RECENT_MAX } from "./recent.ts";
import type { Recent } from "./recent.ts";
import { decodeSiblings, FORMAT, MODE_SIBLINGS, siblingsDigest } from "./siblings-record.ts";
import type { SiblingsRecord } from "./siblings-record.ts";
import {
  fieldsBytes,
  FLAG_TOMBSTONE,
  FLAGS_KNOWN,
  FLAGS_WITHOUT_EXPIRY,
  flagsOf,
  readFields,
  skipFields,
  writeFields,
} from "./version-fields.ts";
import type { Version } from "./version.ts";

/** What a replica stores for a key; its bucket's mode says which of them. */
export type KvRecord = LwwRecord | SiblingsRecord;

/**
 * The record of a key in an `lww` bucket: one version and the writes merged lately.
 * `bytes` is its encoding, the same on disk and on the wire, so a record is encoded once by the
 * coordinator that minted it and its checksum is checked wherever it arrives:
 *
 *     format 2 | mode 1 | flags | stamp, 8 | actor, 12 | expiry, 8? | write id | content type?
 *     | content encoding? | recent: count, entries of 20 | value
 *     | CRC-32 of record key and everything before, 4
 *
 * Format 1 had neither expiry nor recent writes; it is still read.
 *
 * The checksum covers the record key: a record found under another key is damaged too. LevelDB as
 * bound here returns wrong bytes silently after a bit flip, hence a checksum of our own.
 *
 * Replicas compare stamps and pass bytes on; what else a version says is decoded when it is asked for.
 */
export class LwwRecord {
  readonly kind = "record";
  readonly mode = "lww";
  readonly stamp: Stamp;
  readonly bytes: Uint8Array;
  /** Where in `bytes` the count of recent writes stands; 0 in format 1, which has none. */
  readonly recentAt: number;
  #version: Version | undefined;

  /** Only for the codec below: `bytes` are known to be whole. */
  constructor(bytes: Uint8Array, stamp: Stamp, recentAt: number, version?: Version) {
    this.bytes = bytes;
    this.stamp = stamp;
    this.recentAt = recentAt;
    this.#version = version;
  }

  get recent(): Recent {
    if (this.recentAt === 0) return EMPTY_BYTES;
    const start = this.recentAt + 1;
    const count = this.bytes[this.recentAt] ?? 0;
    return this.bytes.subarray(start, start + count * RECENT_ENTRY_BYTES);
  }

  get version(): Version {
    return (this.#version ??= decodeVersion(this.bytes));
  }

  get versions(): readonly Version[] {
    return [this.version];
  }
}

/** Bytes that are no record of this key: never served, never taken for absence. */
export interface DamagedRecord {
  readonly kind: "damaged";
  readonly reason: "checksum" | "format";
}

/** Equal for two records exactly when no merge would change either; {@link NO_RECORD} for none. */
export type Digest = string & { readonly __brand: "Digest" };

export const NO_RECORD = "" as Digest;

const FORMAT_WITHOUT_RECENT = 1;
const MODE_LWW = 1;
const CHECKSUM_BYTES = 4;
const FLAGS_OFFSET = 2;
/** Flags, stamp and actor. */
const IDENTITY_END = FLAGS_OFFSET + 1 + 8 + ACTOR_BYTES;
const FIXED_BYTES = IDENTITY_END + 1 + CHECKSUM_BYTES;

/** The most that a record adds to its value: fixed fields, three short texts, expiry, recent writes. */
export const RECORD_OVERHEAD_BYTES_MAX =
  FIXED_BYTES + 3 * 256 + 8 + RECENT_MAX * RECENT_ENTRY_BYTES;

export function encodeRecord(key: RecordKey, version: Version, recent: Recent): LwwRecord {
  const { content } = version;
  const writer = new ByteWriter(
    FIXED_BYTES + fieldsBytes(version) + recent.byteLength + (content?.value.byteLength ?? 0),
  );
  writer.u8(FORMAT);
  writer.u8(MODE_LWW);
  writer.u8(flagsOf(version));
  writer.u64(version.stamp);
  writer.hex(version.actor);
  writeFields(writer, version);
  const recentAt = writer.length;
  writer.u8(recent.byteLength / RECENT_ENTRY_BYTES);
  writer.bytes(recent);
  if (content !== undefined) writer.bytes(content.value);
  writer.u32(crc32(writer.written(), crc32(key)));
  return new LwwRecord(writer.written(), version.stamp, recentAt, version);
}

/** The same version with other recent writes. Nothing of the old bytes is kept alive by it. */
export function withRecent(key: RecordKey, record: LwwRecord, recent: Recent): LwwRecord {
  const { bytes, stamp, recentAt } = record;
  if (recentAt === 0) return encodeRecord(key, record.version, recent);
  const valueAt = recentAt + 1 + record.recent.byteLength;
  const writer = new ByteWriter(bytes.byteLength - record.recent.byteLength + recent.byteLength);
  writer.bytes(bytes.subarray(0, recentAt));
  writer.u8(recent.byteLength / RECENT_ENTRY_BYTES);
  writer.bytes(recent);
  writer.bytes(bytes.subarray(valueAt, bytes.byteLength - CHECKSUM_BYTES));
  writer.u32(crc32(writer.written(), crc32(key)));
  return new LwwRecord(writer.written(), stamp, recentAt);
}

/** The content is a view of `bytes`, which must not change afterwards. */
export function decodeRecord(key: RecordKey, bytes: Uint8Array): KvRecord | DamagedRecord {
  try {
    return decodeChecked(key, bytes);
  } catch (error) {
    if (error instanceof DecodeError) return { kind: "damaged", reason: "format" };
    throw error;
  }
}

/**
 * Flags, stamp, actor and checksum: which version it is, exactly, and by the checksum the rest, recent
 * writes included. Two of one dot that differ elsewhere look equal once in 2^32.
 */
export function digestOf(record: KvRecord | undefined): Digest {
  if (record === undefined) return NO_RECORD;
  if (record.mode === "siblings") return siblingsDigest(record) as Digest;
  const { bytes } = record;
  const identity = bytes.subarray(FLAGS_OFFSET, IDENTITY_END);
  const checksum = bytes.subarray(bytes.byteLength - CHECKSUM_BYTES);
  return (latin1Text(identity) + latin1Text(checksum)) as Digest;
}

function decodeChecked(key: RecordKey, bytes: Uint8Array): KvRecord | DamagedRecord {
  const bodyEnd = bytes.byteLength - CHECKSUM_BYTES;
  if (bodyEnd < 0) return { kind: "damaged", reason: "checksum" };
  const stated = new ByteReader(bytes, bodyEnd).u32();
  if (crc32(bytes.subarray(0, bodyEnd), crc32(key)) !== stated) {
    return { kind: "damaged", reason: "checksum" };
  }
  const reader = new ByteReader(bytes, 0, bodyEnd);
  const format = reader.u8();
  const mode = reader.u8();
  if (format === FORMAT && mode === MODE_SIBLINGS) return decodeSiblings(bytes, reader);
  const flags = reader.u8();
  const flagsKnown = format === FORMAT_WITHOUT_RECENT ? FLAGS_WITHOUT_EXPIRY : FLAGS_KNOWN;
  const formatKnown = format === FORMAT || format === FORMAT_WITHOUT_RECENT;
  if (!formatKnown || mode !== MODE_LWW || (flags & ~flagsKnown) !== 0) {
    return { kind: "damaged", reason: "format" };
  }
  const stamp = reader.u64() as Stamp;
  reader.skip(ACTOR_BYTES);
  skipFields(reader, flags);
  const recentAt = format === FORMAT_WITHOUT_RECENT ? 0 : reader.at;
  if (recentAt > 0) reader.skip(reader.u8() * RECENT_ENTRY_BYTES);
  if (flags & FLAG_TOMBSTONE) reader.finish();
  return new LwwRecord(bytes, stamp, recentAt);
}

/** Of bytes that {@link decodeChecked} has found whole. */
function decodeVersion(bytes: Uint8Array): Version {
  const reader = new ByteReader(bytes, FLAGS_OFFSET, bytes.byteLength - CHECKSUM_BYTES);
  const flags = reader.u8();
  const stamp = reader.u64() as Stamp;
  const actor = reader.hex(ACTOR_BYTES) as ActorId;
  const { expiresAt, writeId, contentType, contentEncoding } = readFields(reader, flags);
  if (bytes[0] !== FORMAT_WITHOUT_RECENT) reader.skip(reader.u8() * RECENT_ENTRY_BYTES);
  const content =
    flags & FLAG_TOMBSTONE ? undefined : { value: reader.rest(), contentType, contentEncoding };
  return { stamp, actor, writeId, content, expiresAt };
}
