import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareBytes, utf8 } from "../../../../src/core/bytes.ts";
import { crc32 } from "../../../../src/core/hash.ts";
import type { Stamp } from "../../../../src/core/hlc.ts";
import { parseActorId, parseBucketName, parseKey, parseWriteId } from "../../../../src/core/ids.ts";
import { recordKey } from "../../../../src/core/record-key.ts";
import type { RecordKey } from "../../../../src/core/record-key.ts";
import {
  decodeRecord,
  encodeRecord,
  RECORD_OVERHEAD_BYTES_MAX,
} from "../../../../src/core/version/record.ts";
import type { Version } from "../../../../src/core/version/version.ts";
import { bitsOf, bytes, recordKeys, version, withBitFlipped } from "../support/arbitraries.ts";
import { forAll } from "../support/for-all.ts";

const KEY = recordKey(parseBucketName("default"), parseKey(utf8("some/key")));

/** The layout of the doc comment, byte by byte. */
function naiveRecordBytes(key: RecordKey, of: Version): number[] {
  const text = (it: string): number[] => [it.length, ...utf8(it)];
  const { stamp, actor, writeId, content } = of;
  const flags =
    (content === undefined ? 1 : 0) +
    (content?.contentType === undefined ? 0 : 2) +
    (content?.contentEncoding === undefined ? 0 : 4);
  const body = [
    1,
    1,
    flags,
    ...(BigInt(stamp).toString(16).padStart(16, "0").match(/../g) ?? []).map((b) =>
      parseInt(b, 16),
    ),
    ...(actor.match(/../g) ?? []).map((b) => parseInt(b, 16)),
    ...text(writeId),
    ...(content?.contentType === undefined ? [] : text(content.contentType)),
    ...(content?.contentEncoding === undefined ? [] : text(content.contentEncoding)),
    ...(content?.value ?? []),
  ];
  const checksum = crc32(Uint8Array.from([...key, ...body]));
  return [
    ...body,
    checksum >>> 24,
    (checksum >>> 16) & 255,
    (checksum >>> 8) & 255,
    checksum & 255,
  ];
}

/** Bytes as plain numbers: views and copies of the same bytes are then equal. */
function plain({ content, ...rest }: Version): unknown {
  return { ...rest, content: content && { ...content, value: [...content.value] } };
}

/** Bytes whose checksum is right, whatever else they are. */
function sealed(key: RecordKey, body: Uint8Array): Uint8Array {
  const checksum = new DataView(new ArrayBuffer(4));
  checksum.setUint32(0, crc32(Uint8Array.from([...key, ...body])));
  return Uint8Array.from([...body, ...new Uint8Array(checksum.buffer)]);
}

/** Whether the texts that the flags announce end before the bytes do; a tombstone has no more. */
function areTextsWhole(flags: number, tail: readonly number[]): boolean {
  let rest = [...tail];
  for (const announced of [1, flags & 2, flags & 4]) {
    const [length = 255] = rest;
    if (announced !== 0 && rest.length < 1 + length) return false;
    if (announced !== 0) rest = rest.slice(1 + length);
  }
  return flags < 8 && ((flags & 1) === 0 || rest.length === 0);
}

describe("a record", () => {
  test("of any version is decoded to that version", () => {
    forAll(
      [recordKeys, version],
      (key, of) => {
        const { bytes: encoded, version: kept } = encodeRecord(key, of);
        expect(kept).toBe(of);
        const record = decodeRecord(key, encoded);
        expect(record.kind === "record" && plain(record.version)).toEqual(plain(of));
        expect(record.kind === "record" && record.bytes).toBe(encoded);
        expect(record.kind === "record" && record.stamp).toBe(of.stamp);
      },
      1_000,
    );
  });

  test("has the bytes that its format says", () => {
    forAll([recordKeys, version], (key, of) =>
      expect([...encodeRecord(key, of).bytes]).toEqual(naiveRecordBytes(key, of)),
    );
  });

  // What is on disks must stay readable: a change of these bytes needs a new format number.
  test("of format 1 keeps these bytes for ever", () => {
    const of: Version = {
      stamp: 0x1234567890abc as Stamp,
      actor: parseActorId("00112233445566778899aabb"),
      writeId: parseWriteId("w1"),
      content: { value: utf8("hi"), contentType: "text/plain", contentEncoding: undefined },
    };
    const stored =
      "010102" +
      "0001234567890abc" +
      "00112233445566778899aabb" +
      "027731" +
      "0a746578742f706c61696e" +
      "6869" +
      "b7b0527a";
    const { bytes: encoded } = encodeRecord(KEY, of);
    expect(Buffer.from(encoded).toString("hex")).toBe(stored);
    expect(decodeRecord(KEY, Buffer.from(stored, "hex"))).toMatchObject({ kind: "record" });
  });

  test("adds at most RECORD_OVERHEAD_BYTES_MAX to its value", () => {
    forAll([version], (of) => {
      const overhead = encodeRecord(KEY, of).bytes.byteLength - (of.content?.value.byteLength ?? 0);
      expect(overhead).toBeLessThanOrEqual(RECORD_OVERHEAD_BYTES_MAX);
    });
    const longest: Version = {
      stamp: 1 as Stamp,
      actor: parseActorId("f".repeat(24)),
      writeId: parseWriteId("w".repeat(64)),
      content: {
        value: new Uint8Array(1_048_576),
        contentType: "t".repeat(255),
        contentEncoding: "e".repeat(255),
      },
    };
    const { byteLength } = encodeRecord(KEY, longest).bytes;
    expect(byteLength).toBe(27 + 65 + 256 + 256 + 1_048_576);
    expect(byteLength - 1_048_576).toBeLessThanOrEqual(RECORD_OVERHEAD_BYTES_MAX);
  });
});

describe("damage", () => {
  test("every single flipped bit makes a small record damaged", () => {
    const small = fc.record({ value: bytes({ maxLength: 8 }), version });
    forAll(
      [recordKeys, small],
      (key, { value, version: of }) => {
        const content = of.content && { ...of.content, value };
        const { bytes: encoded } = encodeRecord(key, { ...of, content });
        const missed = bitsOf(encoded).filter(
          (bit) => decodeRecord(key, withBitFlipped(encoded, bit)).kind !== "damaged",
        );
        expect(missed).toEqual([]);
      },
      60,
    );
  });

  test("2,000 sampled flips of one bit in a value of 256 KiB are all found", () => {
    const value = Uint8Array.from({ length: 256 * 1024 }, (_, i) => (i * 31) ^ (i >> 8));
    const of: Version = {
      stamp: 1 as Stamp,
      actor: parseActorId("a".repeat(24)),
      writeId: parseWriteId("w"),
      content: { value, contentType: undefined, contentEncoding: undefined },
    };
    const encoded = Uint8Array.from(encodeRecord(KEY, of).bytes);
    forAll(
      [fc.nat(encoded.byteLength * 8 - 1)],
      (bit) => {
        const at = bit >> 3;
        const mask = 1 << (bit & 7);
        encoded[at] = (encoded[at] ?? 0) ^ mask;
        const { kind } = decodeRecord(KEY, encoded);
        encoded[at] = (encoded[at] ?? 0) ^ mask;
        expect(kind).toBe("damaged");
      },
      2_000,
    );
    expect(decodeRecord(KEY, encoded).kind).toBe("record");
  });

  test("a burst of up to 32 changed bits is found", () => {
    const burst = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 0xffffffff }));
    forAll(
      [recordKeys, version, burst],
      (key, of, [place, bits]) => {
        const damaged = Uint8Array.from(encodeRecord(key, of).bytes);
        const at = place % (damaged.byteLength - 3);
        for (const shift of [24, 16, 8, 0]) {
          const i = at + 3 - shift / 8;
          damaged[i] = (damaged[i] ?? 0) ^ ((bits >>> shift) & 255);
        }
        expect(decodeRecord(key, damaged).kind).toBe("damaged");
      },
      1_000,
    );
  });

  test("a record under another key is damaged", () => {
    forAll([recordKeys, recordKeys, version], (key, other, of) => {
      fc.pre(compareBytes(key, other) !== 0);
      expect(decodeRecord(other, encodeRecord(key, of).bytes)).toEqual({
        kind: "damaged",
        reason: "checksum",
      });
    });
  });

  test("a record under each key that differs in one bit is damaged", () => {
    forAll(
      [recordKeys, version],
      (key, of) => {
        const { bytes: encoded } = encodeRecord(key, of);
        const missed = bitsOf(key.subarray(0, 64)).filter((bit) => {
          const other = withBitFlipped(key, bit) as RecordKey;
          return decodeRecord(other, encoded).kind !== "damaged";
        });
        expect(missed).toEqual([]);
      },
      60,
    );
  });

  test("a record cut at any length, or with bytes added, is damaged", () => {
    forAll([recordKeys, version, bytes({ minLength: 1, maxLength: 8 })], (key, of, tail) => {
      const { bytes: encoded } = encodeRecord(key, of);
      const missed = Array.from(encoded.keys()).filter(
        (length) => decodeRecord(key, encoded.subarray(0, length)).kind !== "damaged",
      );
      expect(missed).toEqual([]);
      const longer = Uint8Array.from([...encoded, ...tail]);
      expect(decodeRecord(key, longer).kind).toBe("damaged");
      const shifted = Uint8Array.from([...tail, ...encoded]);
      expect(decodeRecord(key, shifted).kind).toBe("damaged");
    });
  });

  test("arbitrary bytes are damaged and never throw", () => {
    forAll([recordKeys, bytes({ maxLength: 60 })], (key, of) =>
      expect(decodeRecord(key, of).kind).toBe("damaged"),
    );
  });

  test("under a right checksum exactly what the format allows is a record, and all of it can be read", () => {
    const head = fc.tuple(
      fc.constantFrom(1, 1, 1, 1, 1, 1, 2),
      fc.constantFrom(1, 1, 1, 1, 1, 1, 2),
      fc.nat(8),
      fc.constantFrom(0, 0, 0, 0x1f, 0x1f, 0x20),
      bytes({ minLength: 18, maxLength: 18 }),
    );
    const length = fc.oneof(
      { weight: 9, arbitrary: fc.nat(4) },
      { weight: 1, arbitrary: fc.nat(255) },
    );
    const texts = fc.array(length, { maxLength: 20, size: "max" });
    const seen = { record: 0, damaged: 0 };
    forAll(
      [recordKeys, head, texts],
      (key, [format, mode, flags, high, fixed], tail) => {
        const body = Uint8Array.from([format, mode, flags, 0, high, ...fixed, ...tail]);
        const found = decodeRecord(key, sealed(key, body));
        const allowed = format === 1 && mode === 1 && high < 0x20 && areTextsWhole(flags, tail);
        expect(found.kind).toBe(allowed ? "record" : "damaged");
        expect(found.kind === "damaged" ? found.reason : "format").toBe("format");
        const version = found.kind === "record" ? found.version : undefined;
        expect(version?.content === undefined).toBe(!allowed || (flags & 1) === 1);
        seen[found.kind] += 1;
      },
      2_000,
    );
    expect(Math.min(seen.record, seen.damaged)).toBeGreaterThan(100);
  });

  test.each([
    ["format 0", [0, 1, 0]],
    ["format 2, of a newer version", [2, 1, 0]],
    ["mode 2, of a newer version", [1, 2, 0]],
    ["flag 8, of a newer version", [1, 1, 8]],
    ["a stamp of 2^53", [1, 1, 0, 0, 0x20, 0, 0, 0, 0, 0, 0]],
    ["a tombstone with bytes after it", undefined],
  ])("%s under a right checksum is damaged by format, not by checksum", (_, head) => {
    const { bytes: encoded } = encodeRecord(KEY, {
      stamp: 1 as Stamp,
      actor: parseActorId("a".repeat(24)),
      writeId: parseWriteId("w"),
      content: undefined,
    });
    const body = encoded.subarray(0, encoded.byteLength - 4);
    const wrong =
      head === undefined
        ? Uint8Array.from([...body, 0])
        : Uint8Array.from([...head, ...body.subarray(head.length)]);
    expect(decodeRecord(KEY, sealed(KEY, body)).kind).toBe("record");
    expect(decodeRecord(KEY, sealed(KEY, wrong))).toEqual({ kind: "damaged", reason: "format" });
  });
});
