import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AssertionError } from "../../../src/core/assert.ts";
import {
  Hlc,
  isStamp,
  msOfStamp,
  NO_STAMP,
  stampAfter,
  stampOfMs,
  STAMPS_PER_MS,
} from "../../../src/core/hlc.ts";
import type { Stamp } from "../../../src/core/hlc.ts";
import { stamp } from "./support/arbitraries.ts";
import { forAll } from "./support/for-all.ts";

const YEAR_2026_MS = 1_770_000_000_000;

/** Wall clocks as they are met: steady, stuck, stepping back, before 1970, far ahead. */
const wallMs = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: YEAR_2026_MS, max: YEAR_2026_MS + 5 }) },
  { weight: 2, arbitrary: fc.double({ min: YEAR_2026_MS, max: YEAR_2026_MS + 5, noNaN: true }) },
  { weight: 1, arbitrary: fc.integer({ min: -1_000, max: 4_000_000_000_000 }) },
);

describe("Hlc", () => {
  test("is strictly monotonic under any sequence of wall clocks, and never below the wall", () => {
    forAll(
      [fc.array(wallMs, { maxLength: 60 })],
      (walls) => {
        const clock = new Hlc();
        let last = -1;
        for (const wall of walls) {
          const minted = clock.mint(wall);
          expect(minted).toBeGreaterThan(last);
          expect(minted).toBeGreaterThanOrEqual(Math.floor(wall) * 2048);
          expect(clock.last).toBe(minted);
          last = minted;
        }
      },
      500,
    );
  });

  test("follows the wall when it is ahead and else counts by one", () => {
    const naive = (walls: readonly number[]): number[] => {
      const minted: number[] = [0];
      for (const wall of walls) {
        minted.push(Math.max((minted.at(-1) ?? 0) + 1, Math.floor(wall) * 2048));
      }
      return minted.slice(1);
    };
    forAll(
      [fc.array(wallMs, { maxLength: 60 })],
      (walls) => {
        const clock = new Hlc();
        expect(walls.map((wall) => clock.mint(wall))).toEqual(naive(walls));
      },
      500,
    );
  });

  test("mints above the lease of an earlier run even when the wall went back below it", () => {
    const lease = fc.integer({ min: 0, max: YEAR_2026_MS }).map(stampOfMs);
    forAll([lease, wallMs], (notBefore, wall) => {
      const clock = new Hlc(notBefore);
      expect(clock.last).toBe(notBefore);
      expect(clock.mint(wall)).toBeGreaterThan(notBefore);
    });
  });

  test("5,000 stamps within one stuck millisecond run into the next ones without a repeat", () => {
    const clock = new Hlc();
    const minted = Array.from({ length: 5_000 }, () => clock.mint(YEAR_2026_MS));
    expect(new Set(minted).size).toBe(5_000);
    expect(msOfStamp(clock.last)).toBe(YEAR_2026_MS + 2);
    expect(clock.mint(YEAR_2026_MS + 1)).toBeGreaterThan(minted.at(-1) ?? 0);
    expect(clock.mint(YEAR_2026_MS + 3)).toBe(stampOfMs(YEAR_2026_MS + 3));
  });

  test("stops when no safe integer is left", () => {
    const clock = new Hlc((Number.MAX_SAFE_INTEGER - 1) as Stamp);
    expect(clock.mint(0)).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => clock.mint(0)).toThrow(AssertionError);
  });
});

describe("stampAfter", () => {
  const near = fc.integer({ min: 1, max: 3 });
  const stamps = fc.oneof(near, fc.integer({ min: 1, max: 2 ** 52 })).map((n) => n as Stamp);

  test("is above the newest that was learnt and not below the own clock", () => {
    forAll(
      [stamps, stamps],
      (own, newest) => {
        const after = stampAfter({ own, newest });
        expect(after).toBeGreaterThan(newest);
        expect(after).toBeGreaterThanOrEqual(own);
      },
      500,
    );
  });

  test("is the own stamp or one above the newest, never further", () => {
    forAll(
      [stamps, stamps],
      (own, newest) => expect(stampAfter({ own, newest })).toBe(Math.max(own, newest + 1)),
      500,
    );
  });

  test("of a key that nobody holds is the own stamp", () => {
    forAll([stamps], (own) => expect(stampAfter({ own, newest: NO_STAMP })).toBe(own));
  });

  test("refuses to pass the last safe integer, as minting does", () => {
    const newest = Number.MAX_SAFE_INTEGER as Stamp;
    expect(() => stampAfter({ own: 1 as Stamp, newest })).toThrow(AssertionError);
  });
});

describe("stamps and milliseconds", () => {
  test("2,048 stamps a millisecond, the year 2109 included", () => {
    expect(STAMPS_PER_MS).toBe(2048);
    expect(isStamp(stampOfMs(Date.UTC(2109, 0, 1)))).toBe(true);
    expect(stampOfMs(YEAR_2026_MS + 0.9)).toBe(YEAR_2026_MS * 2048);
  });

  test("a stamp tells its millisecond, whatever its counter", () => {
    const ms = fc.integer({ min: 0, max: 2 ** 42 - 1 });
    forAll([ms, fc.integer({ min: 0, max: 2047 })], (of, counter) =>
      expect(msOfStamp((stampOfMs(of) + counter) as Stamp)).toBe(of),
    );
  });

  test("only whole numbers from 0 to 2^53 - 1 are stamps", () => {
    forAll([stamp], (it) => expect(isStamp(it)).toBe(true));
    for (const it of [-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(isStamp(it)).toBe(false);
    }
  });
});
