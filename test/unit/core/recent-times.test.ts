import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AssertionError } from "../../../src/core/assert.ts";
import { RecentTimes } from "../../../src/core/recent-times.ts";
import { forAll } from "./support/for-all.ts";

const times = fc.array(fc.integer({ min: 0, max: 10_000 }), { minLength: 1, maxLength: 80 });

describe("RecentTimes", () => {
  test("tells of the last so many times what a recount of them tells", () => {
    forAll(
      [times, fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 100 })],
      (all, max, percent) => {
        const recent = new RecentTimes(max);
        for (const ms of all) recent.add(ms);
        const last = all.slice(-max);
        const mean = last.reduce((sum, ms) => sum + ms, 0) / last.length;
        const variance = last.reduce((sum, ms) => sum + (ms - mean) ** 2, 0) / last.length;
        expect(recent.count).toBe(last.length);
        expect(recent.mean()).toBeCloseTo(mean, 6);
        expect(recent.deviation()).toBeCloseTo(Math.sqrt(variance), 4);
        const quantile = recent.quantile(percent / 100);
        expect(last).toContain(quantile);
        const within = last.filter((ms) => ms <= quantile).length / last.length;
        const below = last.filter((ms) => ms < quantile).length / last.length;
        expect(within).toBeGreaterThanOrEqual(percent / 100 - 1e-9);
        expect(below).toBeLessThan(percent / 100 + 1e-9);
      },
    );
  });

  test("of 100 times 1 to 100 the 99th percentile is 99", () => {
    const recent = new RecentTimes(100);
    for (let ms = 100; ms >= 1; ms--) recent.add(ms);
    expect(recent.quantile(0.99)).toBe(99);
  });

  test("nothing has no mean and no quantile", () => {
    const recent = new RecentTimes(3);
    expect(() => recent.mean()).toThrow(AssertionError);
    expect(() => recent.quantile(0.5)).toThrow(AssertionError);
    expect(() => new RecentTimes(0)).toThrow(AssertionError);
  });
});
