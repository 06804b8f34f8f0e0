import { ByteReader, ByteWriter, DecodeError } from "../codec.ts";
import type { Stamp } from "../hlc.ts";
import type { ActorId, WriteId } from "../ids.ts";
import type { Version } from "./version.ts";

const FLAG_TOMBSTONE = 1;
const FLAG_CONTENT_TYPE = 2;
const FLAG_CONTENT_ENCODING = 4;
const FLAG_EXPIRY = 8;
const FLAGS_KNOWN = FLAG_TOMBSTONE | FLAG_CONTENT_TYPE | FLAG_CONTENT_ENCODING | FLAG_EXPIRY;
/** Flags, stamp, length of the write id. */
const FIXED_BYTES = 1 + 8 + 1;

/**
 * One of the versions of a siblings record. Its bytes are merged and passed on as they are; what else
 * they say is decoded when it is asked for:
 *
 *     flags | stamp, 8 | expiry, 8? | write id | content type? | content encoding? | value: length 4, bytes?
 */
export class Sibling {
  readonly actor: ActorId;
  readonly stamp: Stamp;
  readonly bytes: Uint8Array;
  #version: Version | undefined;

  private constructor(actor: ActorId, stamp: Stamp, bytes: Uint8Array) {
    this.actor = actor;
    this.stamp = stamp;
    this.bytes = bytes;
  }

  static of(version: Version): Sibling {
    return new Sibling(version.actor, version.stamp, encode(version));
  }

  /** The reader is at its first byte within `bytes`. @throws DecodeError */
  static decode(actor: ActorId, bytes: Uint8Array, reader: ByteReader): Sibling {
    const start = reader.at;
    const flags = reader.u8();
    if ((flags & ~FLAGS_KNOWN) !== 0) throw new DecodeError("unknown flags of a sibling");
    const stamp = reader.u64() as Stamp;
    if (flags & FLAG_EXPIRY) reader.u64();
    reader.skip(reader.u8());
    if (flags & FLAG_CONTENT_TYPE) reader.skip(reader.u8());
    if (flags & FLAG_CONTENT_ENCODING) reader.skip(reader.u8());
    if (!(flags & FLAG_TOMBSTONE)) reader.skip(reader.u32());
    return new Sibling(actor, stamp, bytes.subarray(start, reader.at));
  }

  get version(): Version {
    return (this.#version ??= decode(this.actor, this.bytes));
  }
}

function encode({ stamp, writeId, content, expiresAt }: Version): Uint8Array {
  const writer = new ByteWriter(
    FIXED_BYTES + writeId.length + (content?.value.byteLength ?? 0) + 16,
  );
  writer.u8(
    (content === undefined ? FLAG_TOMBSTONE : 0) |
      (content?.contentType === undefined ? 0 : FLAG_CONTENT_TYPE) |
      (content?.contentEncoding === undefined ? 0 : FLAG_CONTENT_ENCODING) |
      (expiresAt === undefined ? 0 : FLAG_EXPIRY),
  );
  writer.u64(stamp);
  if (expiresAt !== undefined) writer.u64(expiresAt);
  writer.shortText(writeId);
  if (content === undefined) return writer.written();
  if (content.contentType !== undefined) writer.shortText(content.contentType);
  if (content.contentEncoding !== undefined) writer.shortText(content.contentEncoding);
  writer.u32(content.value.byteLength);
  writer.bytes(content.value);
  return writer.written();
}

/** Of bytes that were found whole. */
function decode(actor: ActorId, bytes: Uint8Array): Version {
  const reader = new ByteReader(bytes);
  const flags = reader.u8();
  const stamp = reader.u64() as Stamp;
  const expiresAt = flags & FLAG_EXPIRY ? reader.u64() : undefined;
  const writeId = reader.shortText() as WriteId;
  if (flags & FLAG_TOMBSTONE) return { stamp, actor, writeId, content: undefined, expiresAt };
  const contentType = flags & FLAG_CONTENT_TYPE ? reader.shortText() : undefined;
  const contentEncoding = flags & FLAG_CONTENT_ENCODING ? reader.shortText() : undefined;
  const value = reader.bytes(reader.u32());
  return { stamp, actor, writeId, content: { value, contentType, contentEncoding }, expiresAt };
}
