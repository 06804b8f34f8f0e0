import type { ByteReader, ByteWriter } from "../codec.ts";
import type { WriteId } from "../ids.ts";
import type { Version } from "./version.ts";

/**
 * What the encodings of a version have in common, whatever stands around it: a byte of flags, and
 * somewhere behind it
 *
 *     expiry, 8? | write id | content type? | content encoding?
 */
export const FLAG_TOMBSTONE = 1;
const FLAG_CONTENT_TYPE = 2;
const FLAG_CONTENT_ENCODING = 4;
const FLAG_EXPIRY = 8;
export const FLAGS_WITHOUT_EXPIRY = FLAG_TOMBSTONE | FLAG_CONTENT_TYPE | FLAG_CONTENT_ENCODING;
export const FLAGS_KNOWN = FLAGS_WITHOUT_EXPIRY | FLAG_EXPIRY;

export interface VersionFields {
  readonly expiresAt: number | undefined;
  readonly writeId: WriteId;
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
}

export function flagsOf({ content, expiresAt }: Version): number {
  return (
    (content === undefined ? FLAG_TOMBSTONE : 0) |
    (content?.contentType === undefined ? 0 : FLAG_CONTENT_TYPE) |
    (content?.contentEncoding === undefined ? 0 : FLAG_CONTENT_ENCODING) |
    (expiresAt === undefined ? 0 : FLAG_EXPIRY)
  );
}

/** What {@link writeFields} will write. */
export function fieldsBytes({ content, expiresAt, writeId }: Version): number {
  return (
    (expiresAt === undefined ? 0 : 8) +
    (1 + writeId.length) +
    (1 + (content?.contentType?.length ?? 0)) +
    (1 + (content?.contentEncoding?.length ?? 0))
  );
}

export function writeFields(writer: ByteWriter, { content, expiresAt, writeId }: Version): void {
  if (expiresAt !== undefined) writer.u64(expiresAt);
  writer.shortText(writeId);
  if (content?.contentType !== undefined) writer.shortText(content.contentType);
  if (content?.contentEncoding !== undefined) writer.shortText(content.contentEncoding);
}

/** @throws DecodeError */
export function skipFields(reader: ByteReader, flags: number): void {
  if (flags & FLAG_EXPIRY) reader.u64();
  reader.skip(reader.u8());
  if (flags & FLAG_CONTENT_TYPE) reader.skip(reader.u8());
  if (flags & FLAG_CONTENT_ENCODING) reader.skip(reader.u8());
}

/** @throws DecodeError */
export function readFields(reader: ByteReader, flags: number): VersionFields {
  return {
    expiresAt: flags & FLAG_EXPIRY ? reader.u64() : undefined,
    writeId: reader.shortText() as WriteId,
    contentType: flags & FLAG_CONTENT_TYPE ? reader.shortText() : undefined,
    contentEncoding: flags & FLAG_CONTENT_ENCODING ? reader.shortText() : undefined,
  };
}
