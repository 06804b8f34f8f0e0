import { ByteReader, ByteWriter, DecodeError } from "../codec.ts";
import type { Stamp } from "../hlc.ts";
import type { ActorId } from "../ids.ts";
import {
  fieldsBytes,
  FLAG_TOMBSTONE,
  FLAGS_KNOWN,
  flagsOf,
  readFields,
  skipFields,
  writeFields,
} from "./version-fields.ts";
import type { Version } from "./version.ts";

/** Flags, stamp, length of the value. */
const FIXED_BYTES = 1 + 8 + 4;

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
    skipFields(reader, flags);
    if (!(flags & FLAG_TOMBSTONE)) reader.skip(reader.u32());
    return new Sibling(actor, stamp, bytes.subarray(start, reader.at));
  }

  get version(): Version {
    return (this.#version ??= decode(this.actor, this.bytes));
  }
}

function encode(version: Version): Uint8Array {
  const { stamp, content } = version;
  const writer = new ByteWriter(
    FIXED_BYTES + fieldsBytes(version) + (content?.value.byteLength ?? 0),
  );
  writer.u8(flagsOf(version));
  writer.u64(stamp);
  writeFields(writer, version);
  if (content === undefined) return writer.written();
  writer.u32(content.value.byteLength);
  writer.bytes(content.value);
  return writer.written();
}

/** Of bytes that were found whole. */
function decode(actor: ActorId, bytes: Uint8Array): Version {
  const reader = new ByteReader(bytes);
  const flags = reader.u8();
  const stamp = reader.u64() as Stamp;
  const { expiresAt, writeId, contentType, contentEncoding } = readFields(reader, flags);
  if (flags & FLAG_TOMBSTONE) return { stamp, actor, writeId, content: undefined, expiresAt };
  const value = reader.bytes(reader.u32());
  return { stamp, actor, writeId, content: { value, contentType, contentEncoding }, expiresAt };
}
