import type { Mode } from "../bucket.ts";
import { ByteReader, ByteWriter, DecodeError } from "../codec.ts";
import { crc32 } from "../hash.ts";
import type { Stamp } from "../hlc.ts";
import type { ActorId, WriteId } from "../ids.ts";
import type { RecordKey } from "../record-key.ts";
import type { Version } from "./version.ts";

/**
 * What a replica stores for a key, in an `lww` bucket one version. `bytes` is its encoding, the same
 * on disk and on the wire, so a record is encoded once by the coordinator that minted it and its
 * checksum is checked wherever it arrives:
 *
 *     format 1 | mode 1 | flags | stamp, 8 | actor, 12 | write id | content type? | content encoding?
 *     | value | CRC-32 of record key and everything before, 4
 *
 * The checksum covers the record key: a record found under another key is damaged too. LevelDB as
 * bound here returns wrong bytes silently after a bit flip, hence a checksum of our own.
 *
 * Replicas compare stamps and pass bytes on; what else a version says is decoded when it is asked for.
 */
export class KvRecord {
  readonly kind = "record";
  readonly mode: Mode = "lww";
  readonly stamp: Stamp;
  readonly bytes: Uint8Array;
  #version: Version | undefined;

  /** Only for the codec below: `bytes` are known to be whole. */
  constructor(bytes: Uint8Array, stamp: Stamp, version?: Version) {
    this.bytes = bytes;
    this.stamp = stamp;
    this.#version = version;
  }

  get version(): Version {
    return (this.#version ??= decodeVersion(this.bytes));
  }
}

/** Bytes that are no record of this key: never served, never taken for absence. */
export interface DamagedRecord {
  readonly kind: "damaged";
  readonly reason: "checksum" | "format";
}

const FORMAT = 1;
const MODE_LWW = 1;
const ACTOR_BYTES = 12;
const CHECKSUM_BYTES = 4;
const FLAGS_OFFSET = 2;
const FLAG_TOMBSTONE = 1;
const FLAG_CONTENT_TYPE = 2;
const FLAG_CONTENT_ENCODING = 4;
const FLAGS_KNOWN = FLAG_TOMBSTONE | FLAG_CONTENT_TYPE | FLAG_CONTENT_ENCODING;
const FIXED_BYTES = 1 + 1 + 1 + 8 + ACTOR_BYTES + CHECKSUM_BYTES;

/** The most that a record adds to its value: fixed fields and three short texts. */
export const RECORD_OVERHEAD_BYTES_MAX = FIXED_BYTES + 3 * 256;

export function encodeRecord(key: RecordKey, version: Version): KvRecord {
  const { content } = version;
  const writer = new ByteWriter(
    FIXED_BYTES +
      (1 + version.writeId.length) +
      (1 + (content?.contentType?.length ?? 0)) +
      (1 + (content?.contentEncoding?.length ?? 0)) +
      (content?.value.byteLength ?? 0),
  );
  writer.u8(FORMAT);
  writer.u8(MODE_LWW);
  writer.u8(
    (content === undefined ? FLAG_TOMBSTONE : 0) |
      (content?.contentType === undefined ? 0 : FLAG_CONTENT_TYPE) |
      (content?.contentEncoding === undefined ? 0 : FLAG_CONTENT_ENCODING),
  );
  writer.u64(version.stamp);
  writer.hex(version.actor);
  writer.shortText(version.writeId);
  if (content?.contentType !== undefined) writer.shortText(content.contentType);
  if (content?.contentEncoding !== undefined) writer.shortText(content.contentEncoding);
  if (content !== undefined) writer.bytes(content.value);
  writer.u32(crc32(writer.written(), crc32(key)));
  return new KvRecord(writer.written(), version.stamp, version);
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
  const flags = reader.u8();
  if (format !== FORMAT || mode !== MODE_LWW || (flags & ~FLAGS_KNOWN) !== 0) {
    return { kind: "damaged", reason: "format" };
  }
  const stamp = reader.u64() as Stamp;
  reader.skip(ACTOR_BYTES);
  reader.skip(reader.u8());
  if (flags & FLAG_CONTENT_TYPE) reader.skip(reader.u8());
  if (flags & FLAG_CONTENT_ENCODING) reader.skip(reader.u8());
  if (flags & FLAG_TOMBSTONE) reader.finish();
  return new KvRecord(bytes, stamp);
}

/** Of bytes that {@link decodeChecked} has found whole. */
function decodeVersion(bytes: Uint8Array): Version {
  const reader = new ByteReader(bytes, FLAGS_OFFSET, bytes.byteLength - CHECKSUM_BYTES);
  const flags = reader.u8();
  const stamp = reader.u64() as Stamp;
  const actor = reader.hex(ACTOR_BYTES) as ActorId;
  const writeId = reader.shortText() as WriteId;
  const contentType = flags & FLAG_CONTENT_TYPE ? reader.shortText() : undefined;
  const contentEncoding = flags & FLAG_CONTENT_ENCODING ? reader.shortText() : undefined;
  const content =
    flags & FLAG_TOMBSTONE ? undefined : { value: reader.rest(), contentType, contentEncoding };
  return { stamp, actor, writeId, content };
}
