import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  KEY_BYTES_MAX,
  parseActorId,
  parseBucketName,
  parseClusterId,
  parseKey,
  parseNodeId,
  parseWriteId,
  parseZone,
  WRITE_ID_LENGTH_MAX,
} from "../../../src/core/ids.ts";
import type { ErrorCode } from "../../../src/core/errors.ts";
import { bytes, charOf } from "./support/arbitraries.ts";
import { forAll } from "./support/for-all.ts";
import { outcomeOf, thrownBy } from "./support/outcome.ts";
import type { Outcome } from "./support/outcome.ts";

const LOWER = "abcdefghijklmnopqrstuvwxyz";
const UPPER = LOWER.toUpperCase();
const DIGITS = "0123456789";

interface Door {
  readonly parse: (text: string) => string;
  readonly code: ErrorCode;
  readonly lengthMin: number;
  readonly lengthMax: number;
  readonly first: string;
  readonly later: string;
}

const DOORS: readonly (readonly [string, Door])[] = [
  [
    "node id",
    {
      parse: parseNodeId,
      code: "option-invalid",
      lengthMin: 1,
      lengthMax: 31,
      first: LOWER + DIGITS,
      later: `${LOWER}${DIGITS}-`,
    },
  ],
  [
    "cluster id",
    {
      parse: parseClusterId,
      code: "option-invalid",
      lengthMin: 1,
      lengthMax: 63,
      first: LOWER + DIGITS,
      later: `${LOWER}${DIGITS}-`,
    },
  ],
  [
    "zone",
    {
      parse: parseZone,
      code: "option-invalid",
      lengthMin: 1,
      lengthMax: 63,
      first: LOWER + UPPER + DIGITS,
      later: `${LOWER}${UPPER}${DIGITS}._-`,
    },
  ],
  [
    "bucket name",
    {
      parse: parseBucketName,
      code: "bucket-name-invalid",
      lengthMin: 1,
      lengthMax: 63,
      first: LOWER + DIGITS,
      later: `${LOWER}${DIGITS}._-`,
    },
  ],
  [
    "actor id",
    {
      parse: parseActorId,
      code: "option-invalid",
      lengthMin: 24,
      lengthMax: 24,
      first: `${DIGITS}abcdef`,
      later: `${DIGITS}abcdef`,
    },
  ],
  [
    "write id",
    {
      parse: parseWriteId,
      code: "header-invalid",
      lengthMin: 1,
      lengthMax: 64,
      first: `${LOWER}${UPPER}${DIGITS}._:-`,
      later: `${LOWER}${UPPER}${DIGITS}._:-`,
    },
  ],
];

function accepts(door: Door, text: string): boolean {
  const chars = text.split("");
  return (
    text.length >= door.lengthMin &&
    text.length <= door.lengthMax &&
    chars.every((char, index) => (index === 0 ? door.first : door.later).includes(char))
  );
}

describe.each(DOORS)("a %s", (_, door) => {
  const { parse, code, lengthMin, lengthMax, first, later } = door;
  const char = first.charAt(0);
  const expected = (text: string): Outcome<string> =>
    accepts(door, text) ? { value: text } : { error: code };

  test(`has ${lengthMin} to ${lengthMax} characters`, () => {
    for (const length of [lengthMin, lengthMax]) {
      expect(parse(char.repeat(length))).toBe(char.repeat(length));
    }
    for (const length of [lengthMin - 1, lengthMax + 1]) {
      expect(thrownBy(() => parse(char.repeat(length)))).toMatchObject({ name: "KvError", code });
    }
  });

  test("takes every character of its alphabet and no other of the first 384, in each place", () => {
    const rest = char.repeat(lengthMin - 1);
    for (let unit = 0; unit < 384; unit++) {
      const one = String.fromCharCode(unit);
      for (const text of [one + rest, char.repeat(Math.max(1, lengthMin - 1)) + one]) {
        expect(outcomeOf(() => parse(text))).toEqual(expected(text));
      }
    }
  });

  test("is accepted exactly when each character may stand where it stands", () => {
    const text = fc.string({
      unit: fc.oneof(
        { weight: 40, arbitrary: charOf(later) },
        { weight: 1, arbitrary: fc.string({ unit: "binary", minLength: 1, maxLength: 1 }) },
      ),
      minLength: Math.max(0, lengthMin - 1),
      maxLength: lengthMax + 1,
      size: "max",
    });
    forAll([text], (it) => {
      expect(outcomeOf(() => parse(it))).toEqual(expected(it));
    });
  });

  test("does not end in a line feed", () => {
    expect(thrownBy(() => parse(`${char.repeat(lengthMin)}\n`))).toMatchObject({ code });
  });
});

describe("a key", () => {
  test("of 0 bytes is refused, of 1 and of 1,024 accepted, of 1,025 refused", () => {
    expect(KEY_BYTES_MAX).toBe(1024);
    expect(thrownBy(() => parseKey(new Uint8Array(0)))).toMatchObject({ code: "key-invalid" });
    expect(parseKey(new Uint8Array(1)).byteLength).toBe(1);
    expect(parseKey(new Uint8Array(1024)).byteLength).toBe(1024);
    const error = thrownBy(() => parseKey(new Uint8Array(1025)));
    expect(error).toMatchObject({ code: "key-invalid" });
    expect(String(error)).toContain("1025");
  });

  test("is any bytes, as they are", () => {
    forAll([bytes({ minLength: 1, maxLength: 50 })], (of) => expect(parseKey(of)).toBe(of));
  });
});

test("the refusal of a write id names the bound that holds: 64", () => {
  expect(WRITE_ID_LENGTH_MAX).toBe(64);
  expect(String(thrownBy(() => parseWriteId("a".repeat(65))))).toContain("1 to 64");
});
