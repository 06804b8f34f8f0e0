import { DOUBTS, REFUSALS } from "./answer.ts";
import type { Answer, Failure } from "./answer.ts";
import type { Durability } from "./bucket.ts";
import { copyBytes } from "./bytes.ts";
import { ByteReader, DecodeError } from "./codec.ts";
import type { ByteWriter } from "./codec.ts";
import type { Stamp } from "./hlc.ts";
import { KEY_BYTES_MAX } from "./ids.ts";
import type { Epoch } from "./layout/layout.ts";
import { parseRecordKey } from "./record-key.ts";
import type { RecordKey } from "./record-key.ts";
import { decodeRecord, RECORD_OVERHEAD_BYTES_MAX } from "./version/record.ts";
import type { KvRecord } from "./version/record.ts";

/** What a coordinator asks of a replica. */
export type PeerRequest =
  | { readonly kind: "read"; readonly key: RecordKey }
  | { readonly kind: "learn"; readonly key: RecordKey }
  | {
      readonly kind: "write";
      readonly key: RecordKey;
      readonly record: KvRecord;
      readonly durability: Durability;
    };

/** Travels with every request. */
export interface Envelope {
  readonly epoch: Epoch;
  /** Version of the sender's cluster document. */
  readonly documentVersion: number;
  /** Milliseconds left of the operation's deadline when the request was sent. */
  readonly remainingMs: number;
}

export const PROTOCOL_VERSION = 1;

const KIND_BYTES = 1;
const ENVELOPE_BYTES = 16;
const RECORD_KEY_BYTES_MAX = 2 + 3 + 64 + KEY_BYTES_MAX;

/** The largest payload in a cluster whose values are bounded so. */
export function payloadBytesMax(valueBytesMax: number): number {
  return (
    KIND_BYTES + ENVELOPE_BYTES + RECORD_KEY_BYTES_MAX + RECORD_OVERHEAD_BYTES_MAX + valueBytesMax
  );
}

const REQUEST_READ = 1;
const REQUEST_LEARN = 2;
const REQUEST_WRITE_SYNC = 3;
const REQUEST_WRITE_ASYNC = 4;

const ANSWER_REFUSED = 1;
const ANSWER_UNKNOWN = 2;
const ANSWER_OK = 3;
/** A read's answer: no record. */
const ANSWER_ABSENT = 4;

export function encodeRequest(writer: ByteWriter, envelope: Envelope, request: PeerRequest): void {
  writer.u8(kindByte(request));
  writer.u32(envelope.epoch.number);
  writer.u32(envelope.epoch.hash);
  writer.u32(envelope.documentVersion);
  writer.u32(Math.max(0, Math.ceil(envelope.remainingMs)));
  writer.u16(request.key.byteLength);
  writer.bytes(request.key);
  if (request.kind === "write") writer.bytes(request.record.bytes);
}

function kindByte(request: PeerRequest): number {
  switch (request.kind) {
    case "read":
      return REQUEST_READ;
    case "learn":
      return REQUEST_LEARN;
    case "write":
      return request.durability === "sync" ? REQUEST_WRITE_SYNC : REQUEST_WRITE_ASYNC;
  }
}

/** @throws DecodeError; the sender is then answered `damaged-message`. */
export function decodeRequest(payload: Uint8Array): { envelope: Envelope; request: PeerRequest } {
  const reader = new ByteReader(payload);
  const kind = reader.u8();
  const epoch = { number: reader.u32(), hash: reader.u32() };
  const documentVersion = reader.u32();
  const envelope = { epoch, documentVersion, remainingMs: reader.u32() };
  const key = parseRecordKey(reader.bytes(reader.u16()));
  if (key === undefined) throw new DecodeError("no record key");
  switch (kind) {
    case REQUEST_READ:
      reader.finish();
      return { envelope, request: { kind: "read", key } };
    case REQUEST_LEARN:
      reader.finish();
      return { envelope, request: { kind: "learn", key } };
    case REQUEST_WRITE_SYNC:
    case REQUEST_WRITE_ASYNC: {
      const durability = kind === REQUEST_WRITE_SYNC ? "sync" : "async";
      // A copy: the record is kept, and must not keep the whole chunk that it arrived in.
      const record = recordOf(key, copyBytes(reader.rest()));
      return { envelope, request: { kind: "write", key, record, durability } };
    }
    default:
      throw new DecodeError(`unknown request kind ${kind}`);
  }
}

function recordOf(key: RecordKey, bytes: Uint8Array): KvRecord {
  const record = decodeRecord(key, bytes);
  if (record.kind === "damaged") throw new DecodeError(`record damaged: ${record.reason}`);
  return record;
}

export function encodeReadAnswer(writer: ByteWriter, answer: Answer<KvRecord | undefined>): void {
  if (answer.kind !== "ok") return encodeFailure(writer, answer);
  writer.u8(answer.value === undefined ? ANSWER_ABSENT : ANSWER_OK);
  if (answer.value !== undefined) writer.bytes(answer.value.bytes);
}

export function encodeLearnAnswer(writer: ByteWriter, answer: Answer<Stamp>): void {
  if (answer.kind !== "ok") return encodeFailure(writer, answer);
  writer.u8(ANSWER_OK);
  writer.u64(answer.value);
}

export function encodeWriteAnswer(writer: ByteWriter, answer: Answer<"applied">): void {
  if (answer.kind !== "ok") return encodeFailure(writer, answer);
  writer.u8(ANSWER_OK);
}

export function encodeFailure(writer: ByteWriter, answer: Failure): void {
  if (answer.kind === "refused") {
    writer.u8(ANSWER_REFUSED);
    writer.u8(REFUSALS.indexOf(answer.reason));
  } else {
    writer.u8(ANSWER_UNKNOWN);
    writer.u8(DOUBTS.indexOf(answer.reason));
  }
}

/** @throws DecodeError; the answer then counts as unknown. */
export function decodeReadAnswer(
  payload: Uint8Array,
  key: RecordKey,
): Answer<KvRecord | undefined> {
  const reader = new ByteReader(payload);
  const kind = reader.u8();
  if (kind === ANSWER_OK) return { kind: "ok", value: recordOf(key, reader.rest()) };
  if (kind === ANSWER_ABSENT) return whole(reader, { kind: "ok", value: undefined });
  return decodeFailure(reader, kind);
}

/** @throws DecodeError */
export function decodeLearnAnswer(payload: Uint8Array): Answer<Stamp> {
  const reader = new ByteReader(payload);
  const kind = reader.u8();
  if (kind === ANSWER_OK) return whole(reader, { kind: "ok", value: reader.u64() as Stamp });
  return decodeFailure(reader, kind);
}

/** @throws DecodeError */
export function decodeWriteAnswer(payload: Uint8Array): Answer<"applied"> {
  const reader = new ByteReader(payload);
  const kind = reader.u8();
  if (kind === ANSWER_OK) return whole(reader, { kind: "ok", value: "applied" });
  return decodeFailure(reader, kind);
}

function decodeFailure(reader: ByteReader, kind: number): Failure {
  const index = reader.u8();
  if (kind === ANSWER_REFUSED) {
    const reason = REFUSALS[index];
    if (reason !== undefined) return whole(reader, { kind: "refused", reason });
  }
  if (kind === ANSWER_UNKNOWN) {
    const reason = DOUBTS[index];
    if (reason !== undefined) return whole(reader, { kind: "unknown", reason });
  }
  throw new DecodeError(`no answer of this request: kind ${kind}, ${index}`);
}

/** The answer, once nothing is left over. */
function whole<T>(reader: ByteReader, answer: T): T {
  reader.finish();
  return answer;
}
