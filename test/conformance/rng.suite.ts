import { describe, expect, test } from "vitest";
import { hex } from "../../src/core/bytes.ts";
import type { Rng } from "../../src/ports/rng.ts";

const DRAWS = 20_000;

/** The contract of Rng. The statistics are so wide that a sound generator fails once in 10^20 runs. */
export function rngSuite(name: string, makeRng: () => Rng): void {
  describe(`rng: ${name}`, () => {
    test.each([0, 1, 3, 8, 16, 4095, 4096, 4097, 10_000])("bytes(%i) has that many", (count) => {
      expect(makeRng().bytes(count)).toHaveLength(count);
    });

    test("bytes belong to the caller: changing them changes no others", () => {
      const rng = makeRng();
      const first = rng.bytes(16);
      const kept = hex(first);
      const second = rng.bytes(16);
      const secondKept = hex(second);
      second.fill(0);
      for (let i = 0; i < 1_000; i++) rng.bytes(16);
      expect(hex(first)).toBe(kept);
      expect(hex(first)).not.toBe(secondKept);
    });

    test("1,000 draws of 8 bytes are all different", () => {
      const rng = makeRng();
      const drawn = new Set(Array.from({ length: 1_000 }, () => hex(rng.bytes(8))));
      expect(drawn.size).toBe(1_000);
    });

    test("every value of a byte occurs about as often as any other, at every offset", () => {
      const rng = makeRng();
      for (let offset = 0; offset < 4; offset++) {
        const counts = new Uint32Array(256);
        for (let i = 0; i < DRAWS; i++) {
          const byte = rng.bytes(4)[offset] ?? 0;
          counts[byte] = (counts[byte] ?? 0) + 1;
        }
        // 78 are expected, the standard deviation is 9.
        expect(Math.min(...counts)).toBeGreaterThan(0);
        expect(Math.max(...counts)).toBeLessThan(200);
      }
    });

    test("fractions are uniform in [0, 1)", () => {
      const rng = makeRng();
      const counts = new Uint32Array(10);
      for (let i = 0; i < DRAWS; i++) {
        const fraction = rng.fraction();
        expect(fraction >= 0 && fraction < 1).toBe(true);
        const tenth = Math.floor(fraction * 10);
        counts[tenth] = (counts[tenth] ?? 0) + 1;
      }
      // 2,000 are expected, the standard deviation is 42.
      for (const count of counts) expect(Math.abs(count - DRAWS / 10)).toBeLessThan(420);
    });

    test("fractions have more than 32 bits", () => {
      const rng = makeRng();
      const fractions = Array.from({ length: 100 }, () => rng.fraction());
      expect(fractions.some((fraction) => !Number.isInteger(fraction * 2 ** 32))).toBe(true);
    });
  });
}
