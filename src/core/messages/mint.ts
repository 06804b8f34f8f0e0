import type { Answer, Failure } from "../answer.ts";
import type { Durability } from "../bucket.ts";
import { copyBytes } from "../bytes.ts";
import { CONTEXT_ENTRY_BYTES, decodeContext, encodeContext } from "../causal/causal-context.ts";
import type { CausalContext } from "../causal/causal-context.ts";
import { ByteReader, DecodeError } from "../codec.ts";
import type { ByteWriter } from "../codec.ts";
import type { KvError } from "../errors.ts";
import { crc32 } from "../hash.ts";
import type { Stamp } from "../hlc.ts";
import type { WriteId } from "../ids.ts";
import type { RecordKey } from "../record-key.ts";
import type { Content } from "../version/version.ts";
import { errorBytes, parseError } from "./error.ts";

/** A whole write of a siblings bucket, for a replica of its key that mints its version. */
export interface MintRequest {
  readonly key: RecordKey;
  readonly writeId: WriteId;
  /** undefined: a delete. */
  readonly content: Content | undefined;
  readonly ttlSeconds: number | undefined;
  readonly attempt: number;
  readonly durability: Durability;
  readonly w: number;
  /** undefined: the client sent none. */
  readonly context: CausalContext | undefined;
}

/** How the write ended at the replica that coordinated it. */
export type MintAnswer =
  | {
      readonly kind: "written";
      readonly stamp: Stamp;
      readonly acked: number;
      /** What the client has seen now, its own write among it. */
      readonly context: CausalContext;
    }
  | { readonly kind: "failed"; readonly error: KvError };

const FLAG_DELETE = 1;
const FLAG_CONTENT_TYPE = 2;
const FLAG_CONTENT_ENCODING = 4;
const FLAG_TTL = 8;
const FLAG_ASYNC = 16;
const FLAG_CONTEXT = 32;

const CHECKSUM_BYTES = 4;

const MINT_WRITTEN = 3;
const MINT_FAILED = 5;

/**
 * Behind the key: flags, W, attempt, write id, content headers, ttl, context, value, and a CRC-32 over
 * key and all of it, for here no record guards the value yet.
 */
export function encodeMint(writer: ByteWriter, mint: MintRequest): void {
  const { content, ttlSeconds, context } = mint;
  const start = writer.length;
  writer.u8(
    (content === undefined ? FLAG_DELETE : 0) |
      (content?.contentType === undefined ? 0 : FLAG_CONTENT_TYPE) |
      (content?.contentEncoding === undefined ? 0 : FLAG_CONTENT_ENCODING) |
      (ttlSeconds === undefined ? 0 : FLAG_TTL) |
      (mint.durability === "async" ? FLAG_ASYNC : 0) |
      (context === undefined ? 0 : FLAG_CONTEXT),
  );
  writer.u8(mint.w);
  writer.u16(mint.attempt);
  writer.shortText(mint.writeId);
  if (content?.contentType !== undefined) writer.shortText(content.contentType);
  if (content?.contentEncoding !== undefined) writer.shortText(content.contentEncoding);
  if (ttlSeconds !== undefined) writer.u64(ttlSeconds);
  if (context !== undefined) writeContext(writer, context);
  if (content !== undefined) writer.bytes(content.value);
  writer.u32(crc32(writer.written().subarray(start), crc32(mint.key)));
}

/** @throws DecodeError */
export function decodeMint(bytes: Uint8Array, key: RecordKey): MintRequest {
  const end = bytes.byteLength - CHECKSUM_BYTES;
  const stated = end < 0 ? undefined : new ByteReader(bytes, end).u32();
  if (stated !== crc32(bytes.subarray(0, end), crc32(key))) throw new DecodeError("mint damaged");
  const reader = new ByteReader(bytes, 0, end);
  const flags = reader.u8();
  const w = reader.u8();
  const attempt = reader.u16();
  const writeId = reader.shortText() as WriteId;
  const contentType = flags & FLAG_CONTENT_TYPE ? reader.shortText() : undefined;
  const contentEncoding = flags & FLAG_CONTENT_ENCODING ? reader.shortText() : undefined;
  const ttlSeconds = flags & FLAG_TTL ? reader.u64() : undefined;
  const context = flags & FLAG_CONTEXT ? readContext(reader) : undefined;
  if (flags & FLAG_DELETE) reader.finish();
  const content =
    flags & FLAG_DELETE
      ? undefined
      : { value: copyBytes(reader.rest()), contentType, contentEncoding };
  const durability = flags & FLAG_ASYNC ? "async" : "sync";
  return { key, writeId, content, ttlSeconds, attempt, durability, w, context };
}

export function encodeMinted(writer: ByteWriter, answer: MintAnswer): void {
  if (answer.kind === "written") {
    writer.u8(MINT_WRITTEN);
    writer.u64(answer.stamp);
    writer.u8(answer.acked);
    return writeContext(writer, answer.context);
  }
  writer.u8(MINT_FAILED);
  writer.bytes(errorBytes(answer.error));
}

/** @throws DecodeError */
export function decodeMinted(
  reader: ByteReader,
  decodeFailure: (reader: ByteReader, kind: number) => Failure,
): Answer<MintAnswer> {
  const kind = reader.u8();
  if (kind === MINT_WRITTEN) {
    const stamp = reader.u64() as Stamp;
    const acked = reader.u8();
    const context = readContext(reader);
    reader.finish();
    return { kind: "ok", value: { kind: "written", stamp, acked, context } };
  }
  if (kind !== MINT_FAILED) return decodeFailure(reader, kind);
  return { kind: "ok", value: { kind: "failed", error: parseError(reader.rest()) } };
}

function writeContext(writer: ByteWriter, context: CausalContext): void {
  writer.u16(context.size);
  writer.bytes(encodeContext(context));
}

function readContext(reader: ByteReader): CausalContext {
  return decodeContext(reader.bytes(reader.u16() * CONTEXT_ENTRY_BYTES));
}
