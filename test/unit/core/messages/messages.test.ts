import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DOUBTS, REFUSALS } from "../../../../src/core/answer.ts";
import type { Answer, Failure } from "../../../../src/core/answer.ts";
import { hex } from "../../../../src/core/bytes.ts";
import { ByteWriter, DecodeError } from "../../../../src/core/codec.ts";
import type { Stamp } from "../../../../src/core/hlc.ts";
import {
  parseActorId,
  parseBucketName,
  parseKey,
  parseNodeId,
  parseWriteId,
} from "../../../../src/core/ids.ts";
import {
  decodeDigestAnswer,
  decodeLearnAnswer,
  decodeReadAnswer,
  decodeWriteAnswer,
  encodeDigestAnswer,
  encodeFailure,
  encodeLearnAnswer,
  encodeReadAnswer,
  encodeWriteAnswer,
} from "../../../../src/core/messages/answer.ts";
import type { LearnAnswer, ReadAnswer } from "../../../../src/core/messages/answer.ts";
import {
  decodeRequest,
  encodeRequest,
  payloadBytesMax,
} from "../../../../src/core/messages/request.ts";
import type { Envelope, PeerRequest } from "../../../../src/core/messages/request.ts";
import { recordKey } from "../../../../src/core/record-key.ts";
import type { RecordKey } from "../../../../src/core/record-key.ts";
import { RECENT_ENTRY_BYTES, RECENT_MAX } from "../../../../src/core/version/recent.ts";
import { digestOf, encodeRecord } from "../../../../src/core/version/record.ts";
import type { KvRecord } from "../../../../src/core/version/record.ts";
import type { Version } from "../../../../src/core/version/version.ts";
import type { WriteIdHash } from "../../../../src/core/version/write-identity.ts";
import {
  bitsOf,
  bytes,
  minted,
  recordKeys,
  stamp,
  version,
  withBitFlipped,
} from "../support/arbitraries.ts";
import { forAll } from "../support/for-all.ts";

interface Message {
  readonly envelope: Envelope;
  readonly request: PeerRequest;
}

const u32 = fc.nat(0xffffffff);
const envelope: fc.Arbitrary<Envelope> = fc.record({
  epoch: fc.record({ number: u32, hash: u32 }),
  documentVersion: u32,
  remainingMs: u32,
});

/** Envelope bytes: kind before them, the key's length and the key after them. */
const ENVELOPE = { start: 1, byteLength: 16 };

const keyed = fc.tuple(recordKeys, version).map(([key, of]) => ({
  key,
  record: minted(key, of),
}));
const write: fc.Arbitrary<PeerRequest> = fc
  .tuple(keyed, fc.constantFrom("sync" as const, "async" as const))
  .map(([{ key, record }, durability]) => ({ kind: "write", key, record, durability }));
const repair: fc.Arbitrary<PeerRequest> = keyed.map((of) => ({ kind: "repair", ...of }));
const idHash = fc.constantFrom("0123456789abcdef", "ffffffffffffffff") as fc.Arbitrary<WriteIdHash>;
const question: fc.Arbitrary<PeerRequest> = fc
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
const message: fc.Arbitrary<Message> = fc.record({
  envelope,
  request: fc.oneof(write, repair, mint, question, heartbeat, scan),
});

function encoded(encode: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter(16);
  encode(writer);
  return Uint8Array.from(writer.written());
}

function requestBytes({ envelope: around, request }: Message): Uint8Array {
  return encoded((writer) => encodeRequest(writer, around, request));
}

/** Bytes as hex texts: views and copies of the same bytes are then equal. */
function plain({ envelope: around, request }: Message): unknown {
  switch (request.kind) {
    case "heartbeat":
      return [around, request];
    case "scan":
      return [around, request.scan.partition, hex(request.scan.after ?? new Uint8Array(0))];
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
function decodedOr<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** The payload cut at each length. */
function cutsOf(payload: Uint8Array): Uint8Array[] {
  return Array.from(payload.keys(), (length) => payload.subarray(0, length));
}

function readOf(record: KvRecord | undefined, clock = 5 as Stamp): Answer<ReadAnswer> {
  return { kind: "ok", value: { record, clock } };
}

const FAILURES: readonly Failure[] = [
  ...REFUSALS.map((reason): Failure => ({ kind: "refused", reason })),
  ...DOUBTS.map((reason): Failure => ({ kind: "unknown", reason })),
];

describe("requests", () => {
  test("of every kind arrive as they were sent", () => {
    forAll(
      [message],
      (sent) => {
        expect(plain(decodeRequest(requestBytes(sent)))).toEqual(plain(sent));
      },
      500,
    );
  });

  test("a remaining time is rounded up to whole milliseconds and never negative", () => {
    const remaining = fc.double({ min: -1_000, max: 30_000, noNaN: true });
    forAll([message, remaining], ({ envelope: around, request }, remainingMs) => {
      const payload = requestBytes({ envelope: { ...around, remainingMs }, request });
      const arrived = decodeRequest(payload).envelope.remainingMs;
      expect(arrived).toBe(remainingMs <= 0 ? 0 : Math.ceil(remainingMs));
    });
  });

  test("a written record is a copy: the chunk that it arrived in is free to go", () => {
    forAll(
      [envelope, write],
      (around, request) => {
        const payload = requestBytes({ envelope: around, request });
        const arrived = decodeRequest(payload).request;
        if (arrived.kind !== "write" || request.kind !== "write") throw new Error("a write");
        payload.fill(0);
        expect(hex(arrived.record.bytes)).toBe(hex(request.record.bytes));
      },
      50,
    );
  });

  test("cut at any length, or with a byte more, they are refused", () => {
    forAll([message, fc.nat(255)], (sent, more) => {
      const payload = requestBytes(sent);
      const taken = cutsOf(payload).filter((cut) => decodedOr(() => decodeRequest(cut)));
      expect(taken).toEqual([]);
      expect(decodedOr(() => decodeRequest(Uint8Array.from([...payload, more])))).toBeUndefined();
    });
  });

  test("arbitrary bytes are refused and nothing but DecodeError is thrown", () => {
    const nearly = fc
      .tuple(
        fc.nat(0x20),
        bytes({ minLength: 16, maxLength: 16 }),
        fc.nat(60),
        bytes({ maxLength: 60 }),
      )
      .map(([kind, around, length, rest]) =>
        Uint8Array.from([kind, ...around, 0, length, 0x72, 0, ...rest]),
      );
    forAll(
      [fc.oneof(bytes({ maxLength: 80 }), nearly)],
      (payload) => {
        const arrived = decodedOr(() => decodeRequest(payload));
        const again = arrived === undefined ? payload : requestBytes(arrived);
        expect(hex(again)).toBe(hex(payload));
      },
      2_000,
    );
  });

  // Nothing of a checksum covers the envelope; TCP's does, and a wrong epoch is refused.
  test("a write with one bit flipped is refused, wherever the bit is but in the envelope", () => {
    forAll(
      [envelope, write],
      (around, request) => {
        const sent = { envelope: around, request };
        const payload = requestBytes(sent);
        const arrived = bitsOf(payload).map((bit) =>
          decodedOr(() => decodeRequest(withBitFlipped(payload, bit))),
        );
        const ofEnvelope = arrived.splice(ENVELOPE.start * 8, ENVELOPE.byteLength * 8);
        expect(arrived.filter((it) => it !== undefined)).toEqual([]);
        const requests = ofEnvelope.map((it) => it && plain({ ...it, envelope: around }));
        expect(requests).toEqual(ofEnvelope.map(() => plain(sent)));
      },
      25,
    );
  });

  test("a read or learn with one bit flipped keeps its kind, and another key only if that is one", () => {
    forAll(
      [envelope, question],
      (around, request) => {
        const payload = requestBytes({ envelope: around, request });
        const flips = bitsOf(payload).map((bit) => withBitFlipped(payload, bit));
        const taken = flips.flatMap((flipped) => {
          const arrived = decodedOr(() => decodeRequest(flipped));
          return arrived === undefined ? [] : [{ flipped, arrived }];
        });
        expect(taken.length).toBeGreaterThanOrEqual(ENVELOPE.byteLength * 8);
        for (const { flipped, arrived } of taken) {
          expect(arrived.request.kind).toBe(request.kind);
          expect(hex(requestBytes(arrived))).toBe(hex(flipped));
        }
      },
      25,
    );
  });
});

describe("answers", () => {
  const records = fc.option(keyed, { nil: undefined, freq: 5 });
  const known = fc.record({ stamp, contentHash: u32 });
  const learned = fc.record({ newest: stamp, known: fc.option(known, { nil: undefined }) });

  test("to a read: a record, its absence, each refusal and each doubt", () => {
    forAll([recordKeys, records, stamp], (some, of, clock) => {
      const key = of?.key ?? some;
      const payload = encoded((w) => encodeReadAnswer(w, readOf(of?.record, clock)));
      const arrived = decodeReadAnswer(payload, key);
      if (arrived.kind !== "ok") throw new Error("a record or its absence");
      const { record } = arrived.value;
      expect(record && hex(record.bytes)).toBe(of && hex(of.record.bytes));
      expect(arrived.value.clock).toBe(clock);
    });
    const [key] = fc.sample(recordKeys, 1);
    for (const failure of FAILURES) {
      const payload = encoded((w) => encodeReadAnswer(w, failure));
      expect(key && decodeReadAnswer(payload, key)).toEqual(failure);
    }
  });

  test("to a digest: of a record or of none, each refusal and each doubt", () => {
    forAll([records, stamp], (of, clock) => {
      const answer = { kind: "ok", value: { digest: digestOf(of?.record), clock } } as const;
      expect(decodeDigestAnswer(encoded((w) => encodeDigestAnswer(w, answer)))).toEqual(answer);
    });
    for (const failure of FAILURES) {
      expect(decodeDigestAnswer(encoded((w) => encodeDigestAnswer(w, failure)))).toEqual(failure);
    }
  });

  test("to a learn: any stamp and what is known of the write, each refusal and each doubt", () => {
    forAll([learned], (value) => {
      const answer: Answer<LearnAnswer> = { kind: "ok", value };
      expect(decodeLearnAnswer(encoded((w) => encodeLearnAnswer(w, answer)))).toEqual(answer);
    });
    for (const failure of FAILURES) {
      expect(decodeLearnAnswer(encoded((w) => encodeLearnAnswer(w, failure)))).toEqual(failure);
    }
  });

  test("to a write: applied, each refusal and each doubt", () => {
    for (const answer of [{ kind: "ok", value: "applied" } as const, ...FAILURES]) {
      expect(decodeWriteAnswer(encoded((w) => encodeWriteAnswer(w, answer)))).toEqual(answer);
    }
  });

  test("a failure looks the same whatever was asked, so that a request that was not understood gets one", () => {
    for (const failure of FAILURES) {
      const payload = encoded((w) => encodeFailure(w, failure));
      expect(decodeLearnAnswer(payload)).toEqual(failure);
      expect(decodeWriteAnswer(payload)).toEqual(failure);
    }
  });

  test("a record of another key is refused", () => {
    forAll([keyed, recordKeys], ({ key, record }, other) => {
      fc.pre(hex(other) !== hex(key));
      const payload = encoded((w) => encodeReadAnswer(w, readOf(record)));
      expect(decodedOr(() => decodeReadAnswer(payload, other))).toBeUndefined();
    });
  });

  test("to a read, with one bit flipped, never tell another record, nor absence for one", () => {
    forAll(
      [keyed],
      ({ key, record }) => {
        const payload = encoded((w) => encodeReadAnswer(w, readOf(record)));
        const absent = encoded((w) => encodeReadAnswer(w, readOf(undefined)));
        // Only the clock has no checksum but the frame's.
        for (const [original, told] of [
          [payload, hex(record.bytes)],
          [absent, undefined],
        ] as const) {
          for (const bit of bitsOf(original)) {
            const arrived = decodedOr(() => decodeReadAnswer(withBitFlipped(original, bit), key));
            if (arrived?.kind !== "ok") continue;
            const found = arrived.value.record;
            expect(found && hex(found.bytes)).toBe(told);
          }
        }
      },
      25,
    );
  });

  test("applied, with one bit flipped, is refused", () => {
    const payload = encoded((w) => encodeWriteAnswer(w, { kind: "ok", value: "applied" }));
    for (const bit of bitsOf(payload)) {
      expect(decodedOr(() => decodeWriteAnswer(withBitFlipped(payload, bit)))).toBeUndefined();
    }
  });

  test("a refusal or doubt with one bit flipped never acknowledges a write", () => {
    for (const failure of FAILURES) {
      const payload = encoded((w) => encodeWriteAnswer(w, failure));
      for (const bit of bitsOf(payload)) {
        const arrived = decodedOr(() => decodeWriteAnswer(withBitFlipped(payload, bit)));
        expect(arrived?.kind).not.toBe("ok");
      }
    }
  });

  test("with bytes left over are refused", () => {
    const answers = [
      encoded((w) => encodeWriteAnswer(w, { kind: "ok", value: "applied" })),
      encoded((w) => encodeFailure(w, { kind: "refused", reason: "expired" })),
    ];
    for (const payload of answers) {
      const longer = Uint8Array.from([...payload, 0]);
      expect(decodedOr(() => decodeWriteAnswer(longer))).toBeUndefined();
    }
  });

  test("cut short they are refused", () => {
    forAll(
      [keyed, learned],
      ({ key, record }, value) => {
        const read = encoded((w) => encodeReadAnswer(w, readOf(record)));
        const learn = encoded((w) => encodeLearnAnswer(w, { kind: "ok", value }));
        const taken = [
          ...cutsOf(read).filter((cut) => decodedOr(() => decodeReadAnswer(cut, key))),
          ...cutsOf(learn).filter((cut) => decodedOr(() => decodeLearnAnswer(cut))),
        ];
        expect(taken).toEqual([]);
      },
      50,
    );
  });

  test("arbitrary bytes throw nothing but DecodeError, and a reason beyond the lists is refused", () => {
    const short = bytes({ maxLength: 20 }).map((of) => Uint8Array.from([(of[0] ?? 0) % 6, ...of]));
    forAll(
      [recordKeys, fc.oneof(short, bytes({ maxLength: 40 }))],
      (key, payload) => {
        const [kind, index = 255] = payload;
        const reason = [undefined, REFUSALS, DOUBTS][kind ?? 0]?.[index];
        const failure = payload.byteLength === 2 ? reason : undefined;
        for (const arrived of [
          decodedOr(() => decodeReadAnswer(payload, key)),
          decodedOr(() => decodeLearnAnswer(payload)),
          decodedOr(() => decodeWriteAnswer(payload)),
        ]) {
          const found = arrived?.kind === "ok" ? undefined : arrived?.reason;
          expect(found).toBe(failure);
        }
      },
      2_000,
    );
  });
});

describe("payloadBytesMax", () => {
  const VALUE_BYTES = 1_048_576;
  const key: RecordKey = recordKey(parseBucketName("b".repeat(63)), parseKey(new Uint8Array(1024)));
  const longest: Version = {
    stamp: Number.MAX_SAFE_INTEGER as Stamp,
    actor: parseActorId("f".repeat(24)),
    writeId: parseWriteId("w".repeat(64)),
    content: {
      value: new Uint8Array(VALUE_BYTES),
      contentType: "t".repeat(255),
      contentEncoding: "e".repeat(255),
    },
    expiresAt: Number.MAX_SAFE_INTEGER,
  };
  const record = encodeRecord(key, longest, new Uint8Array(RECENT_MAX * RECENT_ENTRY_BYTES));
  const largest: Envelope = {
    epoch: { number: 0xffffffff, hash: 0xffffffff },
    documentVersion: 0xffffffff,
    remainingMs: 0xffffffff,
  };

  test("bounds the largest request: 63 characters of bucket, key of 1,024 bytes, value of 1 MiB", () => {
    const request: PeerRequest = { kind: "write", key, record, durability: "sync" };
    const payload = requestBytes({ envelope: largest, request });
    expect(payload.byteLength).toBe(
      1 + 16 + 2 + (3 + 63 + 1 + 1024) + (27 + 65 + 256 + 256 + 8 + 1 + 16 * 20) + VALUE_BYTES,
    );
    expect(payload.byteLength).toBeLessThanOrEqual(payloadBytesMax(VALUE_BYTES));
    expect(decodeRequest(payload).request.kind).toBe("write");
  });

  test("bounds the largest answer, the same record", () => {
    const payload = encoded((w) => encodeReadAnswer(w, readOf(record)));
    expect(payload.byteLength).toBeLessThanOrEqual(payloadBytesMax(VALUE_BYTES));
  });

  test("exceeds the largest request by less than 1 KiB, and grows with the value", () => {
    const request: PeerRequest = { kind: "write", key, record, durability: "sync" };
    const { byteLength } = requestBytes({ envelope: largest, request });
    expect(payloadBytesMax(VALUE_BYTES) - byteLength).toBeLessThan(1024);
    expect(payloadBytesMax(2 * VALUE_BYTES) - payloadBytesMax(VALUE_BYTES)).toBe(VALUE_BYTES);
  });
});
