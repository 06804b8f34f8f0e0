import { describe, expect, test } from "vitest";
import { utf8 } from "../../../src/core/bytes.ts";
import { crc32, hash32 } from "../../../src/core/hash.ts";
import { bytes, withBitFlipped } from "./support/arbitraries.ts";
import { forAll } from "./support/for-all.ts";

const NOTHING = Uint8Array.of();

/** The definition: the reflected polynomial 0x04c11db7, one bit at a time. */
function naiveCrc32(of: Uint8Array): number {
  let crc = 0xffffffffn;
  for (const byte of of) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++)
      crc = (crc & 1n) === 1n ? (crc >> 1n) ^ 0xedb88320n : crc >> 1n;
  }
  return Number(crc ^ 0xffffffffn);
}

/** fmix32 of MurmurHash3 (Appleby), in integers without bound. */
function naiveHash32(of: Uint8Array): number {
  const mask = 0xffffffffn;
  let h = BigInt(naiveCrc32(of));
  h ^= h >> 16n;
  h = (h * 0x85ebca6bn) & mask;
  h ^= h >> 13n;
  h = (h * 0xc2b2ae35n) & mask;
  h ^= h >> 16n;
  return Number(h);
}

describe("crc32", () => {
  test.each([
    ["", 0x00000000],
    ["a", 0xe8b7be43],
    ["abc", 0x352441c2],
    ["123456789", 0xcbf43926],
    ["The quick brown fox jumps over the lazy dog", 0x414fa339],
  ])("of %j is the published value", (text, crc) => {
    expect(crc32(utf8(text))).toBe(crc);
  });

  test("agrees with the bitwise definition", () => {
    forAll([bytes()], (of) => expect(crc32(of)).toBe(naiveCrc32(of)));
  });

  test("continues: crc(b, crc(a)) is crc(a b)", () => {
    forAll([bytes(), bytes()], (a, b) =>
      expect(crc32(b, crc32(a))).toBe(naiveCrc32(Uint8Array.from([...a, ...b]))),
    );
  });

  // zlib takes an empty view without memory behind it for a call to begin anew, and returns 0.
  test("of nothing continues too, whatever memory the empty bytes have", () => {
    expect(crc32(Uint8Array.from([]).subarray(0, 0), 0xcbf43926)).toBe(0xcbf43926);
  });

  test("every flip of one bit changes it", () => {
    forAll(
      [bytes({ minLength: 1, maxLength: 32 })],
      (of) => {
        for (let bit = 0; bit < of.byteLength * 8; bit++) {
          expect(crc32(withBitFlipped(of, bit))).not.toBe(crc32(of));
        }
      },
      50,
    );
  });
});

describe("hash32", () => {
  test.each([
    [0, 0x00000000],
    [1, 0x514e28b7],
    [0xffffffff, 0x81f16f39],
  ])("of nothing with seed %i is MurmurHash3_x86_32 of nothing with that seed", (seed, hash) => {
    expect(hash32(NOTHING, seed)).toBe(hash);
  });

  // Where every stored key lies depends on these: a change needs a new format of the directory.
  test.each([
    ["a", 0xc5ed31b7],
    ["123456789", 0xe8781fa3],
    ["default\0a", 0x74180fd9],
    ["default\0user/42", 0x1036f159],
    ["0/n1", 0x12931244],
    ["255/n3", 0x23360779],
  ])("of %j stays %i for ever", (text, hash) => {
    expect(hash32(utf8(text))).toBe(hash);
    expect(naiveHash32(utf8(text))).toBe(hash);
  });

  test("agrees with the reference finaliser", () => {
    forAll([bytes()], (of) => expect(hash32(of)).toBe(naiveHash32(of)));
  });

  test("continues from a CRC-32 like crc32 does", () => {
    forAll([bytes(), bytes()], (a, b) =>
      expect(hash32(b, crc32(a))).toBe(naiveHash32(Uint8Array.from([...a, ...b]))),
    );
  });
});
