import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hex } from "../../../../src/core/bytes.ts";
import type { Stamp } from "../../../../src/core/hlc.ts";
import { parseActorId, parseBucketName, parseKey, parseWriteId } from "../../../../src/core/ids.ts";
import { encodeReadAnswer } from "../../../../src/core/messages/answer.ts";
import { decodeRequest, payloadBytesMax } from "../../../../src/core/messages/request.ts";
import type { Envelope, PeerRequest } from "../../../../src/core/messages/request.ts";
import { recordKey } from "../../../../src/core/record-key.ts";
import type { RecordKey } from "../../../../src/core/record-key.ts";
import { RECENT_ENTRY_BYTES, RECENT_MAX } from "../../../../src/core/version/recent.ts";
import { encodeRecord } from "../../../../src/core/version/record.ts";
import type { Version } from "../../../../src/core/version/version.ts";
import { bitsOf, bytes, withBitFlipped } from "../support/arbitraries.ts";
import { forAll } from "../support/for-all.ts";
import {
  envelope,
  ENVELOPE,
  write,
  question,
  message,
  encoded,
  requestBytes,
  plain,
  decodedOr,
  cutsOf,
  readOf,
} from "./support.ts";

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
