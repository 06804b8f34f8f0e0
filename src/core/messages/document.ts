import type { Answer, Failure } from "../answer.ts";
import { utf8 } from "../bytes.ts";
import { ByteReader, DecodeError } from "../codec.ts";
import type { ByteWriter } from "../codec.ts";
import { KvError } from "../errors.ts";
import { crc32 } from "../hash.ts";
import { changeJson, parseChange } from "../layout/bucket-change.ts";
import type { BucketChange } from "../layout/bucket-change.ts";
import { documentJson, parseDocument } from "../layout/document-json.ts";
import type { ClusterDocument } from "../layout/cluster-document.ts";
import type { Layout } from "../layout/layout.ts";
import { errorBytes, parseError, parseJson } from "./error.ts";

/** What members ask each other about the cluster document; each is answered with a document. */
export type DocumentRequest =
  /** Which document do you have? */
  | { readonly ask: "tell" }
  /** Take this one if it is newer, and answer when it is on your disk. */
  | { readonly ask: "adopt"; readonly document: unknown }
  /** Make this change, as the member that puts changes in order. */
  | { readonly ask: "change"; readonly change: BucketChange };

export type DocumentAnswer =
  | { readonly kind: "document"; readonly document: unknown }
  | { readonly kind: "failed"; readonly error: KvError };

const DOCUMENT = 3;
const FAILED = 5;

export function adoptRequest(document: ClusterDocument): DocumentRequest {
  return { ask: "adopt", document: documentJson(document) };
}

/** JSON with a CRC-32 before it. */
export function encodeDocumentRequest(writer: ByteWriter, request: DocumentRequest): void {
  const json =
    request.ask === "change" ? { ...request, change: changeJson(request.change) } : request;
  writeSealed(writer, utf8(JSON.stringify(json)));
}

/** @throws DecodeError */
export function decodeDocumentRequest(reader: ByteReader): DocumentRequest {
  const json = parseJson(readSealed(reader));
  if (typeof json !== "object" || json === null) throw new DecodeError("no document request");
  const { ask, document, change } = json as Readonly<Record<string, unknown>>;
  if (ask === "tell") return { ask };
  if (ask === "adopt") return { ask, document };
  const parsed = ask === "change" ? readable(() => parseChange(change)) : undefined;
  if (parsed === undefined) throw new DecodeError("no document request");
  return { ask: "change", change: parsed };
}

export function encodeDocumentAnswer(writer: ByteWriter, answer: DocumentAnswer): void {
  writer.u8(answer.kind === "document" ? DOCUMENT : FAILED);
  writeSealed(
    writer,
    answer.kind === "document" ? utf8(JSON.stringify(answer.document)) : errorBytes(answer.error),
  );
}

/** @throws DecodeError */
export function decodeDocumentAnswer(
  payload: Uint8Array,
  decodeFailure: (reader: ByteReader, kind: number) => Failure,
): Answer<DocumentAnswer> {
  const reader = new ByteReader(payload);
  const kind = reader.u8();
  if (kind !== DOCUMENT && kind !== FAILED) return decodeFailure(reader, kind);
  const bytes = readSealed(reader);
  if (kind === FAILED) return { kind: "ok", value: { kind: "failed", error: parseError(bytes) } };
  return { kind: "ok", value: { kind: "document", document: parseJson(bytes) } };
}

/** @throws DecodeError: a newer version may have written what this one cannot read. */
export function readDocument(json: unknown, layout: Layout): ClusterDocument {
  const document = readable(() => parseDocument(json, layout));
  if (document === undefined) throw new DecodeError("no cluster document");
  return document;
}

function readable<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof KvError) throw new DecodeError(error.message);
    throw error;
  }
}

function writeSealed(writer: ByteWriter, bytes: Uint8Array): void {
  writer.u32(crc32(bytes));
  writer.bytes(bytes);
}

function readSealed(reader: ByteReader): Uint8Array {
  const stated = reader.u32();
  const bytes = reader.rest();
  if (stated !== crc32(bytes)) throw new DecodeError("damaged on the way");
  return bytes;
}
