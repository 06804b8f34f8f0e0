import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AssertionError } from "../../../src/core/assert.ts";
import { ByteReader, ByteWriter, DecodeError } from "../../../src/core/codec.ts";
import { bytes } from "./support/arbitraries.ts";
import { forAll } from "./support/for-all.ts";
import { outcomeOf, thrownBy } from "./support/outcome.ts";

/** One field: how it is written and read, and the bytes that it must become. */
interface Field {
  readonly expected: readonly number[];
  readonly write: (writer: ByteWriter) => void;
  readonly read: (reader: ByteReader) => unknown;
  readonly value: unknown;
}

function bigEndian(value: number, byteCount: number): number[] {
  return Array.from({ length: byteCount }, (_, i) =>
    Number((BigInt(value) >> BigInt(8 * (byteCount - 1 - i))) & 0xffn),
  );
}

const edges = (...values: number[]): fc.Arbitrary<number> => fc.constantFrom(...values);

const u8 = fc.nat(0xff).map((value): Field => ({
  expected: [value],
  write: (writer) => writer.u8(value),
  read: (reader) => reader.u8(),
  value,
}));

const u16 = fc.oneof(fc.nat(0xffff), edges(0, 0xff, 0x100, 0xffff)).map((value): Field => ({
  expected: bigEndian(value, 2),
  write: (writer) => writer.u16(value),
  read: (reader) => reader.u16(),
  value,
}));

const u32 = fc.oneof(fc.nat(0xffffffff), edges(0, 0x80000000, 0xffffffff)).map((value): Field => ({
  expected: bigEndian(value, 4),
  write: (writer) => writer.u32(value),
  read: (reader) => reader.u32(),
  value,
}));

const u64Edges = edges(0, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 52 + 1, Number.MAX_SAFE_INTEGER);
const u64 = fc.oneof(fc.maxSafeNat(), u64Edges).map((value): Field => ({
  expected: bigEndian(value, 8),
  write: (writer) => writer.u64(value),
  read: (reader) => reader.u64(),
  value,
}));

const raw = bytes({ maxLength: 20 }).map((value): Field => ({
  expected: [...value],
  write: (writer) => writer.bytes(value),
  read: (reader) => [...reader.bytes(value.byteLength)],
  value: [...value],
}));

const hexDigits = bytes({ maxLength: 20 }).map((of): Field => {
  const value = [...of].map((byte) => (byte + 256).toString(16).slice(1)).join("");
  return {
    expected: [...of],
    write: (writer) => writer.hex(value),
    read: (reader) => reader.hex(of.byteLength),
    value,
  };
});

const shortText = fc
  .oneof(bytes({ maxLength: 20 }), bytes({ minLength: 250, maxLength: 255, size: "max" }))
  .map((of): Field => {
    const value = String.fromCharCode(...of);
    return {
      expected: [of.byteLength, ...of],
      write: (writer) => writer.shortText(value),
      read: (reader) => reader.shortText(),
      value,
    };
  });

const fields = fc.array(fc.oneof(u8, u16, u32, u64, raw, hexDigits, shortText), { maxLength: 12 });

function encoded(list: readonly Field[], initialBytes?: number): Uint8Array {
  const writer = new ByteWriter(initialBytes);
  for (const field of list) field.write(writer);
  expect(writer.length).toBe(list.flatMap((field) => field.expected).length);
  return writer.written();
}

describe("ByteWriter", () => {
  test("writes any sequence of fields as big-endian bytes, whatever buffer it began with", () => {
    forAll(
      [fields, fc.nat(40)],
      (list, initialBytes) => {
        const expected = list.flatMap((field) => field.expected);
        expect([...encoded(list, initialBytes)]).toEqual(expected);
        expect([...encoded(list)]).toEqual(expected);
      },
      500,
    );
  });

  test("starts anew after clear, in the same buffer", () => {
    forAll([fields, fields], (first, second) => {
      const writer = new ByteWriter(8);
      for (const field of first) field.write(writer);
      writer.clear();
      expect(writer.length).toBe(0);
      for (const field of second) field.write(writer);
      expect([...writer.written()]).toEqual(second.flatMap((field) => field.expected));
    });
  });

  test("a length known only afterwards is patched in place", () => {
    forAll([fields, fields, fc.nat(0xffffffff)], (before, after, late) => {
      const writer = new ByteWriter(1);
      for (const field of before) field.write(writer);
      const at = writer.length;
      writer.u32(0);
      for (const field of after) field.write(writer);
      writer.patchU32(at, late);
      const [head, tail] = [before, after].map((list) => list.flatMap((field) => field.expected));
      expect([...writer.written()]).toEqual([
        ...(head ?? []),
        ...bigEndian(late, 4),
        ...(tail ?? []),
      ]);
    });
  });

  test("a short text of 256 characters is a bug of the caller", () => {
    expect(() => new ByteWriter().shortText("a".repeat(256))).toThrow(AssertionError);
  });

  test("numbers out of a field's range are not written in part", () => {
    const writer = new ByteWriter();
    for (const value of [-1, 2 ** 32]) expect(() => writer.u32(value)).toThrow(RangeError);
    for (const value of [-1, 2 ** 16]) expect(() => writer.u16(value)).toThrow(RangeError);
    expect(() => writer.u64(-1)).toThrow(RangeError);
    expect(writer.length).toBe(0);
  });
});

describe("ByteReader", () => {
  test("reads back any sequence of fields and then nothing is left", () => {
    forAll(
      [fields],
      (list) => {
        const reader = new ByteReader(encoded(list));
        for (const field of list) expect(field.read(reader)).toEqual(field.value);
        expect(() => reader.finish()).not.toThrow();
        expect([...reader.rest()]).toEqual([]);
      },
      500,
    );
  });

  test("reads within start and end only", () => {
    forAll([bytes({ maxLength: 5 }), fields, bytes({ maxLength: 9 })], (before, list, after) => {
      const whole = Uint8Array.from([...before, ...encoded(list), ...after]);
      const end = whole.byteLength - after.byteLength;
      const reader = new ByteReader(whole, before.byteLength, end);
      for (const field of list) expect(field.read(reader)).toEqual(field.value);
      expect(() => reader.u8()).toThrow(DecodeError);
      reader.finish();
    });
  });

  test("cut at every length it reads what is whole and throws DecodeError at the field that is cut", () => {
    /** The values up to the first field that the bytes do not hold. */
    const read = (list: readonly Field[], from: Uint8Array): unknown[] => {
      const reader = new ByteReader(from);
      const outcomes = list.map((field) => outcomeOf(() => field.read(reader)));
      const cut = outcomes.findIndex((outcome) => "error" in outcome);
      return outcomes
        .slice(0, cut)
        .map((outcome) => ("value" in outcome ? outcome.value : outcome));
    };
    forAll(
      [fields],
      (list) => {
        const whole = encoded(list);
        const ends = list.map((_, i) => list.slice(0, i + 1).flatMap((it) => it.expected).length);
        for (let length = 0; length < whole.byteLength; length++) {
          const held = list.filter((_, i) => (ends[i] ?? 0) <= length);
          const values = held.map((field) => field.value);
          expect(read(list, whole.subarray(0, length))).toEqual(values);
        }
      },
      60,
    );
  });

  test("the rest is what no field has taken, and bytes left over are refused", () => {
    forAll([fields, bytes({ minLength: 1 })], (list, tail) => {
      const whole = Uint8Array.from([...encoded(list), ...tail]);
      const reader = new ByteReader(whole);
      for (const field of list) field.read(reader);
      expect(thrownBy(() => reader.finish())).toBeInstanceOf(DecodeError);
      expect([...reader.rest()]).toEqual([...tail]);
      reader.finish();
    });
  });

  test("8 bytes above 2^53 - 1 are refused, up to it they are a number", () => {
    forAll(
      [
        fc.oneof(
          fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
          fc.bigInt({ min: 2n ** 53n - 99n, max: 2n ** 53n + 99n }),
        ),
      ],
      (value) => {
        const encodedValue = Uint8Array.from(
          Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(56 - 8 * i)) & 0xffn)),
        );
        const reader = new ByteReader(encodedValue);
        const safe = value < 2n ** 53n;
        expect(outcomeOf(() => reader.u64())).toEqual(
          safe ? { value: Number(value) } : { error: "DecodeError" },
        );
      },
      500,
    );
    const [largest, next] = [
      Uint8Array.from([0, 0x1f, 255, 255, 255, 255, 255, 255]),
      Uint8Array.from([0, 0x20, 0, 0, 0, 0, 0, 0]),
    ];
    expect(new ByteReader(largest).u64()).toBe(2 ** 53 - 1);
    expect(() => new ByteReader(next).u64()).toThrow(DecodeError);
  });

  test("skips as many bytes as it would read, and no more than there are", () => {
    forAll([bytes(), fc.nat(20)], (input, length) => {
      const [skipping, reading] = [new ByteReader(input), new ByteReader(input)];
      const skipped = "value" in outcomeOf(() => skipping.skip(length));
      expect(skipped).toBe("value" in outcomeOf(() => reading.bytes(length)));
      expect([...skipping.rest()]).toEqual([...reading.rest()]);
    });
  });

  test("byte fields are views of the input, not copies", () => {
    const input = Uint8Array.from([1, 2, 3, 4]);
    const reader = new ByteReader(input);
    const [two, rest] = [reader.bytes(2), reader.rest()];
    input.fill(9);
    expect([...two, ...rest]).toEqual([9, 9, 9, 9]);
  });
});
