import fc from "fast-check";
import { expect, test } from "vitest";
import { conflictsOf, emptyZone } from "../../../src/checker/zones.ts";
import type { Zone } from "../../../src/checker/zones.ts";
import { forAll } from "../core/support/for-all.ts";
import { pairs, permutations } from "./support/brute-force.ts";

const zone: fc.Arbitrary<Zone> = fc
  .tuple(fc.nat(9), fc.nat(9))
  .map(([firstEnd, lastCall]) => ({ ...emptyZone("v"), firstEnd, lastCall }));

const isBefore = (one: Zone, other: Zone): boolean => one.firstEnd < other.lastCall;

test("no conflict is found exactly when some order of the zones respects them all (up to 6)", () => {
  forAll([fc.array(zone, { maxLength: 6 })], (zones) => {
    const ordered = permutations(zones).some((order) =>
      order.every((later, i) => order.slice(0, i).every((earlier) => !isBefore(later, earlier))),
    );
    expect(conflictsOf(zones).length === 0).toBe(ordered);
  });
});

test("each conflict names two zones of which each comes before the other", () => {
  forAll([fc.array(zone, { maxLength: 40 })], (zones) => {
    const conflicts = conflictsOf(zones);
    for (const { one, other } of conflicts) {
      expect(isBefore(one, other) && isBefore(other, one)).toBe(true);
    }
    const any = pairs(zones).some(([a, b]) => isBefore(a, b) && isBefore(b, a));
    expect(conflicts.length > 0).toBe(any);
  });
});
