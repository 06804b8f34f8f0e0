import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  base64url,
  compareBytes,
  concatBytes,
  copyBytes,
  equalBytes,
  fromBase64url,
  hex,
  latin1,
  latin1Text,
  utf8,
  utf8Text,
} from "../../../src/core/bytes.ts";
import { bytes, charOf } from "./support/arbitraries.ts";
import { forAll } from "./support/for-all.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

function bits(of: Uint8Array): string {
  return [...of].map((byte) => byte.toString(2).padStart(8, "0")).join("");
}

function naiveBase64url(of: Uint8Array): string {
  const sextets = bits(of).match(/.{1,6}/g) ?? [];
  return sextets.map((six) => ALPHABET[Number.parseInt(six.padEnd(6, "0"), 2)]).join("");
}

/** Canonical: decodes to whole bytes and the bits that are left over are zeros. */
function naiveFromBase64url(text: string): number[] | undefined {
  const sextets = text.split("").map((char) => ALPHABET.indexOf(char));
  if (sextets.includes(-1) || text.length % 4 === 1) return undefined;
  const all = sextets.map((sextet) => sextet.toString(2).padStart(6, "0")).join("");
  const whole = all.length - (all.length % 8);
  if (all.slice(whole).includes("1")) return undefined;
  return (all.slice(0, whole).match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2));
}

function naiveCompare(a: readonly number[], b: readonly number[]): number {
  const [x, ...xs] = a;
  const [y, ...ys] = b;
  if (x === undefined || y === undefined) return Math.sign(a.length - b.length);
  return x === y ? naiveCompare(xs, ys) : Math.sign(x - y);
}

describe("texts", () => {
  test("UTF-8 text survives the way to bytes and back", () => {
    forAll([fc.string({ unit: "binary" })], (text) => expect(utf8Text(utf8(text))).toBe(text));
  });

  test("text that begins with a byte order mark keeps it", () => {
    expect(utf8Text(utf8("\ufeffa"))).toBe("\ufeffa");
  });

  test("bytes that are not UTF-8 have no text", () => {
    const nearlyUtf8 = fc
      .array(
        fc.constantFrom(0x41, 0x80, 0xbf, 0xc2, 0xe2, 0x82, 0xac, 0xed, 0xa0, 0xf0, 0x9f, 0xff),
      )
      .map((list) => Uint8Array.from(list));
    const decode = (of: Uint8Array): string | undefined => {
      try {
        return decodeURIComponent(
          [...of].map((b) => `%${b.toString(16).padStart(2, "0")}`).join(""),
        );
      } catch {
        return undefined;
      }
    };
    forAll([nearlyUtf8], (of) => expect(utf8Text(of)).toBe(decode(of)), 1_000);
  });

  test("one character a byte, and back", () => {
    forAll([bytes()], (of) => {
      const text = latin1Text(of);
      expect(text.split("").map((char) => char.charCodeAt(0))).toEqual([...of]);
      expect([...latin1(text)]).toEqual([...of]);
    });
  });

  test("two lower-case hex digits a byte", () => {
    forAll([bytes()], (of) =>
      expect(hex(of)).toBe([...of].map((b) => (b + 256).toString(16).slice(1)).join("")),
    );
  });
});

describe("base64url", () => {
  test("is unpadded and decodes to what was encoded", () => {
    forAll([bytes()], (of) => {
      const text = base64url(of);
      expect(text).toBe(naiveBase64url(of));
      expect([...(fromBase64url(text) ?? [-1])]).toEqual([...of]);
    });
  });

  test("any text that is not canonical is refused: padding, spaces, + and /, stray bits", () => {
    const text = fc.string({
      unit: fc.oneof(
        { weight: 30, arbitrary: charOf(ALPHABET) },
        { weight: 1, arbitrary: fc.constantFrom("=", "+", "/", " ", "\n", "é", "\u{1f600}") },
      ),
      maxLength: 9,
    });
    forAll(
      [text],
      (it) => {
        const decoded = fromBase64url(it);
        expect(decoded === undefined ? undefined : [...decoded]).toEqual(naiveFromBase64url(it));
      },
      2_000,
    );
  });
});

describe("order and equality", () => {
  const few = fc.array(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), { maxLength: 5 });

  test("bytes compare unsigned, byte by byte, a prefix first", () => {
    forAll(
      [few, few],
      (a, b) => {
        const [x, y] = [Uint8Array.from(a), Uint8Array.from(b)];
        expect(Math.sign(compareBytes(x, y))).toBe(naiveCompare(a, b));
        expect(equalBytes(x, y)).toBe(naiveCompare(a, b) === 0);
      },
      2_000,
    );
  });

  test("parts are joined in order", () => {
    forAll([fc.array(bytes())], (parts) =>
      expect([...concatBytes(parts)]).toEqual(parts.flatMap((part) => [...part])),
    );
  });

  test("a copy is equal and shares no memory", () => {
    forAll([bytes({ minLength: 1 })], (of) => {
      const before = [...of];
      const copy = copyBytes(of);
      of.fill(0);
      expect([...copy]).toEqual(before);
      copy.fill(1);
      expect([...of]).toEqual(before.map(() => 0));
    });
  });
});
