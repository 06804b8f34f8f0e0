import { DOUBTS, REFUSALS } from "../answer.ts";
import type { Answer, Failure } from "../answer.ts";
import { ByteReader, DecodeError } from "../codec.ts";
import type { ByteWriter } from "../codec.ts";
import type { Stamp } from "../hlc.ts";
import type { RecordKey } from "../record-key.ts";
import type { KvRecord } from "../version/record.ts";
import { recordOf } from "./request.ts";

const ANSWER_REFUSED = 1;
const ANSWER_UNKNOWN = 2;
const ANSWER_OK = 3;
/** A read's answer: no record. */
const ANSWER_ABSENT = 4;

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
