import { DOUBTS, REFUSALS } from "../answer.ts";
import type { Answer, Failure } from "../answer.ts";
import { decodeContext, encodeContext, NOTHING_SEEN } from "../causal/causal-context.ts";
import type { CausalContext } from "../causal/causal-context.ts";
import { ByteReader, DecodeError } from "../codec.ts";
import type { ByteWriter } from "../codec.ts";
import type { Stamp } from "../hlc.ts";
import type { RecordKey } from "../record-key.ts";
import type { Digest, KvRecord } from "../version/record.ts";
import type { KnownWrite } from "../version/recent.ts";
import { decodeDocumentAnswer } from "./document.ts";
import type { DocumentAnswer } from "./document.ts";
import { decodeListPage, encodeListPage } from "./list.ts";
import type { ListAnswer, ListRequest } from "./list.ts";
import { decodeMinted, encodeMinted } from "./mint.ts";
import type { MintAnswer } from "./mint.ts";
import { recordOf } from "./request.ts";
import { decodeScanPage, encodeScanPage } from "./scan.ts";
import type { ScanPage } from "./scan.ts";

/** A replica's record of a key, and its clock by which expiry is judged. */
export interface ReadAnswer {
  readonly record: KvRecord | undefined;
  readonly clock: Stamp;
}

export interface DigestAnswer {
  readonly digest: Digest;
  readonly clock: Stamp;
}

/** What a write has to know before it is stamped. */
export interface LearnAnswer {
  /** The newest stamp that the replica stores for the key. */
  readonly newest: Stamp;
  /** What the replica knows of a write of this id. */
  readonly known: KnownWrite | undefined;
  /** In a siblings bucket: which versions the replica holds or has seen superseded. */
  readonly seen?: CausalContext;
}

const ANSWER_REFUSED = 1;
const ANSWER_UNKNOWN = 2;
const ANSWER_OK = 3;
/** A read's answer: no record. A learn's: the write id is not known. */
const ANSWER_ABSENT = 4;

export function encodeReadAnswer(writer: ByteWriter, answer: Answer<ReadAnswer>): void {
  if (answer.kind !== "ok") return encodeFailure(writer, answer);
  const { record, clock } = answer.value;
  writer.u8(record === undefined ? ANSWER_ABSENT : ANSWER_OK);
  writer.u64(clock);
  if (record !== undefined) writer.bytes(record.bytes);
}

export function encodeDigestAnswer(writer: ByteWriter, answer: Answer<DigestAnswer>): void {
  if (answer.kind !== "ok") return encodeFailure(writer, answer);
  writer.u8(ANSWER_OK);
  writer.u64(answer.value.clock);
  writer.shortText(answer.value.digest);
}

export function encodeLearnAnswer(writer: ByteWriter, answer: Answer<LearnAnswer>): void {
  if (answer.kind !== "ok") return encodeFailure(writer, answer);
  const { newest, known, seen = NOTHING_SEEN } = answer.value;
  writer.u8(known === undefined ? ANSWER_ABSENT : ANSWER_OK);
  writer.u64(newest);
  if (known !== undefined) {
    writer.u64(known.stamp);
    writer.u32(known.contentHash);
  }
  writer.bytes(encodeContext(seen));
}

export function encodeWriteAnswer(writer: ByteWriter, answer: Answer<"applied">): void {
  if (answer.kind !== "ok") return encodeFailure(writer, answer);
  writer.u8(ANSWER_OK);
}

export function encodeScanAnswer(writer: ByteWriter, answer: Answer<ScanPage>): void {
  if (answer.kind !== "ok") return encodeFailure(writer, answer);
  writer.u8(ANSWER_OK);
  encodeScanPage(writer, answer.value);
}

export function encodeListAnswer(writer: ByteWriter, answer: Answer<ListAnswer>): void {
  if (answer.kind !== "ok") return encodeFailure(writer, answer);
  writer.u8(ANSWER_OK);
  encodeListPage(writer, answer.value);
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
export function decodeReadAnswer(payload: Uint8Array, key: RecordKey): Answer<ReadAnswer> {
  const reader = new ByteReader(payload);
  const kind = reader.u8();
  if (kind !== ANSWER_OK && kind !== ANSWER_ABSENT) return decodeFailure(reader, kind);
  const clock = reader.u64() as Stamp;
  if (kind === ANSWER_ABSENT) return whole(reader, ok({ record: undefined, clock }));
  return ok({ record: recordOf(key, reader.rest()), clock });
}

/** @throws DecodeError */
export function decodeDigestAnswer(payload: Uint8Array): Answer<DigestAnswer> {
  const reader = new ByteReader(payload);
  const kind = reader.u8();
  if (kind !== ANSWER_OK) return decodeFailure(reader, kind);
  const clock = reader.u64() as Stamp;
  return whole(reader, ok({ clock, digest: reader.shortText() as Digest }));
}

/** @throws DecodeError */
export function decodeLearnAnswer(payload: Uint8Array): Answer<LearnAnswer> {
  const reader = new ByteReader(payload);
  const kind = reader.u8();
  if (kind !== ANSWER_OK && kind !== ANSWER_ABSENT) return decodeFailure(reader, kind);
  const newest = reader.u64() as Stamp;
  const known =
    kind === ANSWER_ABSENT
      ? undefined
      : { stamp: reader.u64() as Stamp, contentHash: reader.u32() };
  if (reader.ended) return ok({ newest, known });
  return ok({ newest, known, seen: decodeContext(reader.rest()) });
}

export function encodeMintAnswer(writer: ByteWriter, answer: Answer<MintAnswer>): void {
  if (answer.kind !== "ok") return encodeFailure(writer, answer);
  encodeMinted(writer, answer.value);
}

/** @throws DecodeError */
export function decodeMintAnswer(payload: Uint8Array): Answer<MintAnswer> {
  return decodeMinted(new ByteReader(payload), decodeFailure);
}

/** @throws DecodeError */
export function decodeDocumentReply(payload: Uint8Array): Answer<DocumentAnswer> {
  return decodeDocumentAnswer(payload, decodeFailure);
}

/** @throws DecodeError */
export function decodeWriteAnswer(payload: Uint8Array): Answer<"applied"> {
  const reader = new ByteReader(payload);
  const kind = reader.u8();
  if (kind === ANSWER_OK) return whole(reader, ok("applied"));
  return decodeFailure(reader, kind);
}

/** @throws DecodeError */
export function decodeScanAnswer(payload: Uint8Array): Answer<ScanPage> {
  const reader = new ByteReader(payload);
  const kind = reader.u8();
  if (kind === ANSWER_OK) return { kind: "ok", value: decodeScanPage(reader) };
  return decodeFailure(reader, kind);
}

/** @throws DecodeError */
export function decodeListAnswer(payload: Uint8Array, request: ListRequest): Answer<ListAnswer> {
  const reader = new ByteReader(payload);
  const kind = reader.u8();
  if (kind === ANSWER_OK) return { kind: "ok", value: decodeListPage(reader, request) };
  return decodeFailure(reader, kind);
}

function ok<const T>(value: T): Answer<T> {
  return { kind: "ok", value };
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
