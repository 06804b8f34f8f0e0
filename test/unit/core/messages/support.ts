import fc from "fast-check";
import { DOUBTS, REFUSALS } from "../../../../src/core/answer.ts";
import type { Answer, Failure } from "../../../../src/core/answer.ts";
import { hex } from "../../../../src/core/bytes.ts";
import { ByteWriter, DecodeError } from "../../../../src/core/codec.ts";
import type { Stamp } from "../../../../src/core/hlc.ts";
import { parseBucketName, parseNodeId } from "../../../../src/core/ids.ts";
import type { ReadAnswer } from "../../../../src/core/messages/answer.ts";
import { LIST_ENTRIES_MAX } from "../../../../src/core/messages/list.ts";
import { encodeRequest } from "../../../../src/core/messages/request.ts";
import type { Envelope, PeerRequest } from "../../../../src/core/messages/request.ts";
import type { KvRecord } from "../../../../src/core/version/record.ts";
import type { WriteIdHash } from "../../../../src/core/version/write-identity.ts";
import { bucketName, key, minted, recordKeys, version } from "../support/arbitraries.ts";

interface Message {
  readonly envelope: Envelope;
  readonly request: PeerRequest;
}

export const u32 = fc.nat(0xffffffff);
export const envelope: fc.Arbitrary<Envelope> = fc.record({
  epoch: fc.record({ number: u32, hash: u32 }),
  documentVersion: u32,
  remainingMs: u32,
});

/** Envelope bytes: kind before them, the key's length and the key after them. */
export const ENVELOPE = { start: 1, byteLength: 16 };

export const keyed = fc.tuple(recordKeys, version).map(([key, of]) => ({
  key,
  record: minted(key, of),
}));
export const write: fc.Arbitrary<PeerRequest> = fc
  .tuple(keyed, fc.constantFrom("sync" as const, "async" as const))
  .map(([{ key, record }, durability]) => ({ kind: "write", key, record, durability }));
const repair: fc.Arbitrary<PeerRequest> = keyed.map((of) => ({ kind: "repair", ...of }));
const idHash = fc.constantFrom("0123456789abcdef", "ffffffffffffffff") as fc.Arbitrary<WriteIdHash>;
export const question: fc.Arbitrary<PeerRequest> = fc
  .tuple(fc.constantFrom("read" as const, "digest" as const, "learn" as const), recordKeys, idHash)
  .map(([kind, key, hash]) => (kind === "learn" ? { kind, key, idHash: hash } : { kind, key }));
const directory = fc.record({
  directoryId: fc.constantFrom("0123456789abcdef", "ffffffffffffffff"),
  startEpoch: u32,
  position: fc.maxSafeNat(),
});
const heartbeat: fc.Arbitrary<PeerRequest> = fc
  .record({
    from: fc.constantFrom("n1", "a-node-with-a-name").map(parseNodeId),
    directory,
    remembered: fc.option(directory, { nil: undefined }),
  })
  .map((it) => ({ kind: "heartbeat", heartbeat: it }));
const scan: fc.Arbitrary<PeerRequest> = fc
  .record({ partition: fc.nat(255), after: fc.option(recordKeys, { nil: undefined }) })
  .map((it) => ({ kind: "scan", scan: it }));
const document: fc.Arbitrary<PeerRequest> = fc
  .constantFrom(
    { ask: "tell" } as const,
    { ask: "adopt", document: { version: 2, buckets: {}, removed: ["gone"] } } as const,
    {
      ask: "change",
      change: { kind: "put", name: parseBucketName("b"), given: { w: 2 }, expect: "any" },
    } as const,
    { ask: "change", change: { kind: "remove", name: parseBucketName("b") } } as const,
  )
  .map((asked) => ({ kind: "document", question: asked }));
export const list: fc.Arbitrary<PeerRequest & { kind: "list" }> = fc
  .record({
    bucket: bucketName,
    prefix: fc.oneof(fc.constant(new Uint8Array(0)), key),
    after: fc.option(key, { nil: undefined }),
    partitions: fc.uniqueArray(fc.nat(255), { minLength: 1 }),
    entriesMax: fc.integer({ min: 1, max: LIST_ENTRIES_MAX }),
  })
  .map(({ partitions, entriesMax, ...range }) => ({
    kind: "list",
    list: { range, entriesMax, partitions: partitions.toSorted((a, b) => a - b) },
  }));
const mint: fc.Arbitrary<PeerRequest> = fc
  .record({
    key: recordKeys,
    of: version,
    ttlSeconds: fc.option(fc.nat(), { nil: undefined }),
    attempt: fc.integer({ min: 1, max: 1_000 }),
    durability: fc.constantFrom("sync" as const, "async" as const),
    w: fc.integer({ min: 1, max: 7 }),
    context: fc.option(
      version.map(({ actor, stamp }) => new Map([[actor, stamp]])),
      { nil: undefined },
    ),
  })
  .map(({ of, ...rest }) => ({
    kind: "mint",
    mint: { ...rest, writeId: of.writeId, content: of.content },
  }));
export const message: fc.Arbitrary<Message> = fc.record({
  envelope,
  request: fc.oneof(write, repair, mint, question, heartbeat, scan, list, document),
});

export function encoded(encode: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter(16);
  encode(writer);
  return Uint8Array.from(writer.written());
}

export function requestBytes({ envelope: around, request }: Message): Uint8Array {
  return encoded((writer) => encodeRequest(writer, around, request));
}

/** Bytes as hex texts: views and copies of the same bytes are then equal. */
export function plain({ envelope: around, request }: Message): unknown {
  switch (request.kind) {
    case "heartbeat":
      return [around, request];
    case "document":
      return [around, request.question];
    case "scan":
      return [around, request.scan.partition, hex(request.scan.after ?? new Uint8Array(0))];
    case "list": {
      const { range, ...rest } = request.list;
      const { bucket, prefix, after } = range;
      return [around, rest, bucket, hex(prefix), after && hex(after)];
    }
    case "read":
    case "digest":
      return [around, request.kind, hex(request.key)];
    case "learn":
      return [around, request.kind, hex(request.key), request.idHash];
    case "mint": {
      const { key, content, context, ...rest } = request.mint;
      const value = content && hex(content.value);
      return [
        around,
        hex(key),
        rest,
        content && { ...content, value },
        [...(context ?? [])],
        value,
      ];
    }
    case "repair":
      return [around, request.kind, hex(request.key), hex(request.record.bytes)];
    case "write":
      return [around, request.durability, hex(request.key), hex(request.record.bytes)];
  }
}

/** What `decode` makes of the bytes; undefined for a DecodeError; any other error rises. */
export function decodedOr<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** The payload cut at each length. */
export function cutsOf(payload: Uint8Array): Uint8Array[] {
  return Array.from(payload.keys(), (length) => payload.subarray(0, length));
}

export function readOf(record: KvRecord | undefined, clock = 5 as Stamp): Answer<ReadAnswer> {
  return { kind: "ok", value: { record, clock } };
}

export const FAILURES: readonly Failure[] = [
  ...REFUSALS.map((reason): Failure => ({ kind: "refused", reason })),
  ...DOUBTS.map((reason): Failure => ({ kind: "unknown", reason })),
];
