import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareBytes, utf8 } from "../../../../src/core/bytes.ts";
import { crc32 } from "../../../../src/core/hash.ts";
import type { Stamp } from "../../../../src/core/hlc.ts";
import { parseActorId, parseBucketName, parseKey, parseWriteId } from "../../../../src/core/ids.ts";
import { recordKey } from "../../../../src/core/record-key.ts";
import type { RecordKey } from "../../../../src/core/record-key.ts";
import type { Recent } from "../../../../src/core/version/recent.ts";
import {
  decodeRecord,
  digestOf,
  encodeRecord,
  NO_RECORD,
  RECORD_OVERHEAD_BYTES_MAX,
  withRecent,
} from "../../../../src/core/version/record.ts";
import type { Version } from "../../../../src/core/version/version.ts";
import {
  bitsOf,
  bytes,
  minted,
  recordKeys,
  version,
  withBitFlipped,
} from "../support/arbitraries.ts";
import { forAll } from "../support/for-all.ts";

const KEY = recordKey(parseBucketName("default"), parseKey(utf8("some/key")));

/** The layout of the doc comment, byte by byte. */
function naiveRecordBytes(key: RecordKey, of: Version, recent: Recent): number[] {
  const text = (it: string): number[] => [it.length, ...utf8(it)];
  const u64 = (it: number): number[] => [...bigEndian(it, 8)];
  const { stamp, actor, writeId, content, expiresAt } = of;
  const flags =
    (content === undefined ? 1 : 0) +
    (content?.contentType === undefined ? 0 : 2) +
    (content?.contentEncoding === undefined ? 0 : 4) +
    (expiresAt === undefined ? 0 : 8);
  const body = [
    2,
    1,
    flags,
    ...u64(stamp),
    ...(actor.match(/../g) ?? []).map((b) => parseInt(b, 16)),
    ...(expiresAt === undefined ? [] : u64(expiresAt)),
    ...text(writeId),
    ...(content?.contentType === undefined ? [] : text(content.contentType)),
    ...(content?.contentEncoding === undefined ? [] : text(content.contentEncoding)),
    recent.byteLength / 20,
    ...recent,
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

function bigEndian(value: number, byteLength: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt(value));
  return new Uint8Array(view.buffer).subarray(8 - byteLength);
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

/**
 * Whether the texts that the flags announce, and in format 2 the recent writes, end before the bytes
 * do; a tombstone has no more.
 */
function isTailWhole(format: number, flags: number, tail: readonly number[]): boolean {
  let rest = [...tail];
  const take = (length: number): boolean => {
    const whole = rest.length >= length;
    rest = rest.slice(length);
    return whole;
  };
  if ((flags & 8) !== 0 && !take(8)) return false;
  for (const announced of [1, flags & 2, flags & 4]) {
    if (announced !== 0 && !take(1 + (rest[0] ?? 255))) return false;
  }
  if (format === 2 && !take(1 + 20 * (rest[0] ?? 255))) return false;
  return flags < (format === 2 ? 16 : 8) && ((flags & 1) === 0 || rest.length === 0);
}

describe("a record", () => {
  test("of any version is decoded to that version", () => {
    forAll(
      [recordKeys, version],
      (key, of) => {
        const { bytes: encoded, version: kept } = minted(key, of);
        expect(kept).toBe(of);
        const record = decodeRecord(key, encoded);
        expect(record.kind === "record" && record.versions.map(plain)).toEqual([plain(of)]);
        expect(record.kind === "record" && record.bytes).toBe(encoded);
        expect(record.kind === "record" && record.stamp).toBe(of.stamp);
      },
      1_000,
    );
  });

  test("has the bytes that its format says", () => {
    const entries = fc
      .nat(3)
      .chain((count) => bytes({ minLength: 20 * count, maxLength: 20 * count }));
    forAll([recordKeys, version, entries], (key, of, recent) =>
      expect([...encodeRecord(key, of, recent).bytes]).toEqual(naiveRecordBytes(key, of, recent)),
    );
  });

  // What is on disks must stay readable: a change of these bytes needs a new format number.
  const of: Version = {
    stamp: 0x1234567890abc as Stamp,
    actor: parseActorId("00112233445566778899aabb"),
    writeId: parseWriteId("w1"),
    content: { value: utf8("hi"), contentType: "text/plain", contentEncoding: undefined },
    expiresAt: undefined,
  };

  test("of format 2 keeps these bytes for ever", () => {
    const stored =
      "02010a" +
      "0001234567890abc" +
      "00112233445566778899aabb" +
      "0000019123456789" +
      "027731" +
      "0a746578742f706c61696e" +
      "01" +
      "0001234567890abc" +
      "60c5590f72eef292346d78b9" +
      "6869" +
      "90db569c";
    const { bytes: encoded } = minted(KEY, { ...of, expiresAt: 0x19123456789 });
    expect(Buffer.from(encoded).toString("hex")).toBe(stored);
    expect(decodeRecord(KEY, Buffer.from(stored, "hex"))).toMatchObject({ kind: "record" });
  });

  test("of format 1 is read as it was written, and rewritten with recent writes when it has some", () => {
    const stored =
      "010102" +
      "0001234567890abc" +
      "00112233445566778899aabb" +
      "027731" +
      "0a746578742f706c61696e" +
      "6869" +
      "b7b0527a";
    const old = decodeRecord(KEY, Buffer.from(stored, "hex"));
    if (old.kind === "damaged" || old.mode !== "lww") throw new Error("a record");
    expect(plain(old.version)).toEqual(plain(of));
    expect(old.recent.byteLength).toBe(0);
    const { recent } = minted(KEY, of);
    const rewritten = withRecent(KEY, old, recent);
    expect(Buffer.from(rewritten.bytes)).toEqual(Buffer.from(minted(KEY, of).bytes));
  });

  test("with other recent writes is the same version", () => {
    forAll([recordKeys, version, version], (key, one, other) => {
      const changed = withRecent(key, minted(key, one), minted(key, other).recent);
      const record = decodeRecord(key, changed.bytes);
      expect(record.kind === "record" && record.versions.map(plain)).toEqual([plain(one)]);
      expect(record.kind === "record" && [...record.recent]).toEqual([
        ...minted(key, other).recent,
      ]);
    });
  });

  test("adds at most RECORD_OVERHEAD_BYTES_MAX to its value", () => {
    forAll([version], (of) => {
      const overhead = minted(KEY, of).bytes.byteLength - (of.content?.value.byteLength ?? 0);
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
      expiresAt: 1,
    };
    const { byteLength } = encodeRecord(KEY, longest, new Uint8Array(16 * 20)).bytes;
    expect(byteLength).toBe(27 + 65 + 256 + 256 + 8 + 1 + 16 * 20 + 1_048_576);
    expect(byteLength - 1_048_576).toBeLessThanOrEqual(RECORD_OVERHEAD_BYTES_MAX);
  });
});

describe("digests", () => {
  test("are equal for a record and its copy, and differ when anything in the record does", () => {
    forAll([version, version], (one, other) => {
      const record = minted(KEY, one);
      const copy = decodeRecord(KEY, Uint8Array.from(record.bytes));
      expect(copy.kind === "record" && digestOf(copy)).toBe(digestOf(record));
      for (const differing of [minted(KEY, other), withRecent(KEY, record, Uint8Array.of())]) {
        const same = compareBytes(differing.bytes, record.bytes) === 0;
        expect(digestOf(differing) === digestOf(record)).toBe(same);
      }
    });
  });

  test("of no record at all is none of a record", () => {
    expect(digestOf(undefined)).toBe(NO_RECORD);
    forAll([version], (of) => expect(digestOf(minted(KEY, of))).not.toBe(NO_RECORD));
  });
});

describe("damage", () => {
  test("every single flipped bit makes a small record damaged", () => {
    const small = fc.record({ value: bytes({ maxLength: 8 }), version });
    forAll(
      [recordKeys, small],
      (key, { value, version: of }) => {
        const content = of.content && { ...of.content, value };
        const { bytes: encoded } = minted(key, { ...of, content });
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
      expiresAt: undefined,
    };
    const encoded = Uint8Array.from(minted(KEY, of).bytes);
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
        const damaged = Uint8Array.from(minted(key, of).bytes);
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
      expect(decodeRecord(other, minted(key, of).bytes)).toEqual({
        kind: "damaged",
        reason: "checksum",
      });
    });
  });

  test("a record under each key that differs in one bit is damaged", () => {
    forAll(
      [recordKeys, version],
      (key, of) => {
        const { bytes: encoded } = minted(key, of);
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
      const { bytes: encoded } = minted(key, of);
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
      fc.constantFrom(1, 1, 1, 2, 2, 2, 3),
      fc.constantFrom(1, 1, 1, 1, 1, 1, 2),
      fc.nat(16),
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
        const [first = 0, second = 0] = tail;
        const safe = (flags & 8) === 0 || (first === 0 && second < 0x20);
        const numbers = high < 0x20 && safe;
        const allowed = format < 3 && mode === 1 && numbers && isTailWhole(format, flags, tail);
        expect(found.kind).toBe(allowed ? "record" : "damaged");
        expect(found.kind === "damaged" ? found.reason : "format").toBe("format");
        const version = found.kind === "record" ? found.versions[0] : undefined;
        expect(version?.content === undefined).toBe(!allowed || (flags & 1) === 1);
        seen[found.kind] += 1;
      },
      4_000,
    );
    expect(Math.min(seen.record, seen.damaged)).toBeGreaterThan(100);
  });

  test.each([
    ["format 0", [0, 1, 0]],
    ["format 3, of a newer version", [3, 1, 0]],
    ["mode 3, of a newer version", [2, 3, 0]],
    ["flag 16, of a newer version", [2, 1, 16]],
    ["flag 8 in format 1", [1, 1, 8]],
    ["a stamp of 2^53", [2, 1, 0, 0, 0x20, 0, 0, 0, 0, 0, 0]],
    ["a tombstone with bytes after it", undefined],
  ])("%s under a right checksum is damaged by format, not by checksum", (_, head) => {
    const { bytes: encoded } = minted(KEY, {
      stamp: 1 as Stamp,
      actor: parseActorId("a".repeat(24)),
      writeId: parseWriteId("w"),
      content: undefined,
      expiresAt: undefined,
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
