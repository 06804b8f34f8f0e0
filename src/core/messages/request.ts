import type { Durability } from "../bucket.ts";
import { copyBytes } from "../bytes.ts";
import { ByteReader, DecodeError } from "../codec.ts";
import type { ByteWriter } from "../codec.ts";
import { KEY_BYTES_MAX } from "../ids.ts";
import type { ClusterDocument } from "../layout/cluster-document.ts";
import type { Epoch } from "../layout/layout.ts";
import { parseRecordKey } from "../record-key.ts";
import type { RecordKey } from "../record-key.ts";
import { decodeRecord, RECORD_OVERHEAD_BYTES_MAX } from "../version/record.ts";
import type { KvRecord } from "../version/record.ts";
import type { WriteIdHash } from "../version/write-identity.ts";
import { decodeDocumentRequest, encodeDocumentRequest } from "./document.ts";
import type { DocumentRequest } from "./document.ts";
import { decodeHeartbeat, encodeHeartbeat } from "./heartbeat.ts";
import type { Heartbeat } from "./heartbeat.ts";
import { decodeList, encodeList } from "./list.ts";
import type { ListRequest } from "./list.ts";
import { decodeMint, encodeMint } from "./mint.ts";
import type { MintRequest } from "./mint.ts";
import { decodeScan, encodeScan } from "./scan.ts";
import type { ScanRequest } from "./scan.ts";

/** What a coordinator asks of a replica. */
export type ReplicaRequest =
  | { readonly kind: "read"; readonly key: RecordKey }
  | { readonly kind: "digest"; readonly key: RecordKey }
  | { readonly kind: "learn"; readonly key: RecordKey; readonly idHash: WriteIdHash }
  | {
      readonly kind: "write";
      readonly key: RecordKey;
      readonly record: KvRecord;
      readonly durability: Durability;
    }
  | { readonly kind: "mint"; readonly mint: MintRequest }
  | { readonly kind: "list"; readonly list: ListRequest }
  /** A record that other replicas hold already. */
  | { readonly kind: "repair"; readonly key: RecordKey; readonly record: KvRecord };

/** What one node asks of another. */
export type PeerRequest =
  | ReplicaRequest
  | { readonly kind: "heartbeat"; readonly heartbeat: Heartbeat }
  | { readonly kind: "scan"; readonly scan: ScanRequest }
  | { readonly kind: "document"; readonly question: DocumentRequest };

/** Travels with every request. */
export interface Envelope {
  readonly epoch: Epoch;
  /** Version of the sender's cluster document. */
  readonly documentVersion: number;
  /** Milliseconds left of the operation's deadline when the request was sent. */
  readonly remainingMs: number;
}

export function envelopeOf({ layout, version }: ClusterDocument, remainingMs: number): Envelope {
  return { epoch: layout.epoch, documentVersion: version, remainingMs };
}

export const PROTOCOL_VERSION = 4;

const KIND_BYTES = 1;
const ENVELOPE_BYTES = 16;
const RECORD_KEY_BYTES_MAX = 2 + 3 + 64 + KEY_BYTES_MAX;

/** The largest payload in a cluster whose values are bounded so. */
export function payloadBytesMax(valueBytesMax: number): number {
  return (
    KIND_BYTES + ENVELOPE_BYTES + RECORD_KEY_BYTES_MAX + RECORD_OVERHEAD_BYTES_MAX + valueBytesMax
  );
}

// An even number of bits each: one flipped bit makes no kind another one.
const REQUEST_READ = 0x03;
const REQUEST_LEARN = 0x05;
const REQUEST_WRITE_SYNC = 0x06;
const REQUEST_WRITE_ASYNC = 0x09;
const REQUEST_HEARTBEAT = 0x0a;
const REQUEST_SCAN = 0x0c;
const REQUEST_DIGEST = 0x0f;
const REQUEST_REPAIR = 0x11;
const REQUEST_LIST = 0x12;
const REQUEST_MINT = 0x18;
const REQUEST_DOCUMENT = 0x1b;
const ID_HASH_BYTES = 8;

export function encodeRequest(writer: ByteWriter, envelope: Envelope, request: PeerRequest): void {
  writer.u8(kindByte(request));
  writer.u32(envelope.epoch.number);
  writer.u32(envelope.epoch.hash);
  writer.u32(envelope.documentVersion);
  writer.u32(Math.max(0, Math.ceil(envelope.remainingMs)));
  switch (request.kind) {
    case "heartbeat":
      return encodeHeartbeat(writer, request.heartbeat);
    case "scan":
      return encodeScan(writer, request.scan);
    case "list":
      return encodeList(writer, request.list);
    case "document":
      return encodeDocumentRequest(writer, request.question);
    case "read":
    case "digest":
      return encodeKey(writer, request.key);
    case "learn":
      encodeKey(writer, request.key);
      return writer.hex(request.idHash);
    case "mint":
      encodeKey(writer, request.mint.key);
      return encodeMint(writer, request.mint);
    case "write":
    case "repair":
      encodeKey(writer, request.key);
      return writer.bytes(request.record.bytes);
  }
}

function encodeKey(writer: ByteWriter, key: RecordKey): void {
  writer.u16(key.byteLength);
  writer.bytes(key);
}

function kindByte(request: PeerRequest): number {
  switch (request.kind) {
    case "read":
      return REQUEST_READ;
    case "digest":
      return REQUEST_DIGEST;
    case "learn":
      return REQUEST_LEARN;
    case "mint":
      return REQUEST_MINT;
    case "repair":
      return REQUEST_REPAIR;
    case "write":
      return request.durability === "sync" ? REQUEST_WRITE_SYNC : REQUEST_WRITE_ASYNC;
    case "heartbeat":
      return REQUEST_HEARTBEAT;
    case "scan":
      return REQUEST_SCAN;
    case "list":
      return REQUEST_LIST;
    case "document":
      return REQUEST_DOCUMENT;
  }
}

/** @throws DecodeError; the sender is then answered `damaged-message`. */
export function decodeRequest(payload: Uint8Array): { envelope: Envelope; request: PeerRequest } {
  const reader = new ByteReader(payload);
  const kind = reader.u8();
  const epoch = { number: reader.u32(), hash: reader.u32() };
  const documentVersion = reader.u32();
  const envelope = { epoch, documentVersion, remainingMs: reader.u32() };
  return { envelope, request: decodeBody(reader, kind) };
}

function decodeBody(reader: ByteReader, kind: number): PeerRequest {
  switch (kind) {
    case REQUEST_READ:
      return { kind: "read", key: lastKey(reader) };
    case REQUEST_DIGEST:
      return { kind: "digest", key: lastKey(reader) };
    case REQUEST_LEARN: {
      const key = decodeKey(reader);
      const idHash = reader.hex(ID_HASH_BYTES) as WriteIdHash;
      reader.finish();
      return { kind: "learn", key, idHash };
    }
    case REQUEST_WRITE_SYNC:
      return { kind: "write", ...decodeKeyed(reader), durability: "sync" };
    case REQUEST_WRITE_ASYNC:
      return { kind: "write", ...decodeKeyed(reader), durability: "async" };
    case REQUEST_MINT: {
      const key = decodeKey(reader);
      return { kind: "mint", mint: decodeMint(reader.rest(), key) };
    }
    case REQUEST_REPAIR:
      return { kind: "repair", ...decodeKeyed(reader) };
    case REQUEST_HEARTBEAT:
      return { kind: "heartbeat", heartbeat: decodeHeartbeat(reader) };
    case REQUEST_SCAN:
      return { kind: "scan", scan: decodeScan(reader) };
    case REQUEST_LIST:
      return { kind: "list", list: decodeList(reader) };
    case REQUEST_DOCUMENT:
      return { kind: "document", question: decodeDocumentRequest(reader) };
    default:
      throw new DecodeError(`unknown request kind ${kind}`);
  }
}

function decodeKey(reader: ByteReader): RecordKey {
  const key = parseRecordKey(reader.bytes(reader.u16()));
  if (key === undefined) throw new DecodeError("no record key");
  return key;
}

function decodeKeyed(reader: ByteReader): { key: RecordKey; record: KvRecord } {
  const key = decodeKey(reader);
  // A copy: the record is kept, and must not keep the whole chunk that it arrived in.
  return { key, record: recordOf(key, copyBytes(reader.rest())) };
}

/** A key behind which nothing follows. */
function lastKey(reader: ByteReader): RecordKey {
  const key = decodeKey(reader);
  reader.finish();
  return key;
}

/** @throws DecodeError */
export function recordOf(key: RecordKey, bytes: Uint8Array): KvRecord {
  const record = decodeRecord(key, bytes);
  if (record.kind === "damaged") throw new DecodeError(`record damaged: ${record.reason}`);
  return record;
}
