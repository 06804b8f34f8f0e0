import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { History, Operation, Verdict } from "../../../src/checker/history.ts";
import { outcomeHonesty } from "../../../src/checker/outcome-honesty.ts";
import { regular } from "../../../src/checker/regular.ts";
import { unwritten } from "../../../src/checker/unwritten.ts";
import { forAll } from "../core/support/for-all.ts";
import { isBefore, isWeaklyRegular } from "./support/brute-force.ts";
import { get, history, put } from "./support/operations.ts";
import {
  anyHistory,
  shuffledStamps,
  withOneReadChanged,
  withoutStamps,
} from "./support/register-histories.ts";

const TINY = { operationsMax: 7, keys: 1 };

const verdictOf = (...operations: readonly Operation[]): Verdict =>
  regular(history(operations)).verdict;

test("by times, with unwritten and outcome-honesty, it says what brute force says of each get", () => {
  const said = new Map<boolean, number>();
  forAll([fc.oneof(anyHistory(TINY), withOneReadChanged(TINY))], (seen) => {
    const unstamped = withoutStamps(seen);
    const findings = [unwritten, outcomeHonesty, regular].map((checker) => checker(unstamped));
    const isRegular = isWeaklyRegular(seen.operations);
    said.set(isRegular, (said.get(isRegular) ?? 0) + 1);
    expect(findings.every(({ verdict }) => verdict === "true")).toBe(isRegular);
  });
  expect(Math.min(said.get(true) ?? 0, said.get(false) ?? 0)).toBeGreaterThan(10);
});

test("by stamps, it finds a get below the stamp of a write acknowledged before", () => {
  const isBelow = ({ operations }: History): boolean =>
    operations.some(
      (it) =>
        it.kind === "get" &&
        it.outcome === "ok" &&
        operations.some(
          (write) =>
            write.kind !== "get" &&
            write.key === it.key &&
            isBefore(write, it) &&
            (it.version === undefined || (it.stamp ?? NaN) < (write.stamp ?? NaN)),
        ),
    );
  forAll([shuffledStamps({ operationsMax: 12, keys: 2 })], (seen) => {
    const byTimes = regular(withoutStamps(seen)).verdict === "false";
    expect(regular(seen).verdict).toBe(byTimes || isBelow(seen) ? "false" : "true");
  });
});

describe("a get and a write are held against each other when R + W > N", () => {
  const sizes = [1, 2, 3].flatMap((r) => [1, 2, 3].map((w) => ({ r, w })));

  test.each(sizes)("N=3, get with R=$r after a put with W=$w", ({ r, w }) => {
    const stale = verdictOf(put("a", 0, 1, { w }), get(undefined, 2, 3, { r }));
    expect(stale).toBe(r + w > 3 ? "false" : "true");
  });

  test("each keeps the sum with the bucket's sizes (R=3 W=3), and yet the two can miss each other", () => {
    const written = put("a", 0, 1, { r: 3, w: 1 });
    expect(verdictOf(written, get(undefined, 2, 3, { r: 1, w: 3 }))).toBe("true");
    expect(verdictOf(written, get(undefined, 2, 3, { r: 3, w: 3 }))).toBe("false");
  });
});

describe("by times, the older write must have been acknowledged where the learn round looks", () => {
  // L = N + 1 − min(R, W) answers meet every write of at least min(R, W) replicas.
  const stale = (older: Partial<Operation>, newer: Partial<Operation>): Verdict =>
    verdictOf(put("a", 0, 1, older), put("b", 2, 3, newer), get("a", 4, 5));

  test("W=1 before a write with R=W=2: its learn round may have missed it", () => {
    expect(stale({ w: 1 }, {})).toBe("true");
  });

  test("W=1 before a write with R=3 W=1, which gets no get of R=2; one of W=3 that does", () => {
    expect(stale({ w: 1 }, { r: 3, w: 1 })).toBe("true");
    expect(stale({ w: 3 }, { r: 1, w: 3 })).toBe("false");
  });

  test("a newer write with R + W ≤ N may have learned from fewer", () => {
    expect(stale({ w: 3 }, { r: 1, w: 2 })).toBe("true");
  });
});

describe("durability async", () => {
  test("power loss may have taken the write: it is not held against a get", () => {
    expect(verdictOf(put("a", 0, 1, { durability: "async" }), get(undefined, 2, 3))).toBe("true");
  });

  test("an older async write may have been lost where the newer one learned", () => {
    const newer = put("b", 2, 3);
    expect(verdictOf(put("a", 0, 1, { durability: "async" }), newer, get("a", 4, 5))).toBe("true");
  });
});

test("a get is judged by the stamp that it was told, even if its version was acknowledged with another", () => {
  const written = put("a", 0, 1, { stamp: 9 });
  expect(verdictOf(written, get("a", 2, 3, { stamp: 3 }))).toBe("false");
  expect(verdictOf(written, get("a", 2, 3))).toBe("true");
});

test("a version that was attempted again after it was read began with the first attempt", () => {
  const [first, again] = [put("a", 0), put("a", 3, 4)];
  const between = put("b", 1, 2);
  expect(verdictOf(again, first, between, get("b", 5, 6))).toBe("true");
  expect(verdictOf(first, between, again, get("b", 5, 6))).toBe("true");
});

test("no gets, nothing examined", () => {
  expect(regular(history([put("a", 0, 1)]))).toMatchObject({ verdict: "true", examined: 0 });
});

test("the sentence tells all three operations of a stale read", () => {
  const operations = [put("a", 0, 1), put("b", 2, 3), get("a", 4, 5, { client: 7 })];
  const { violations } = regular(history(operations));
  expect(violations[0]?.operations).toEqual(operations);
  expect(violations[0]?.sentence).toBe(
    'get of "a" by client 7 [4, 5] is stale: the write that it returned, put of "a" by client 0 [0, 1], ' +
      'had been acknowledged before put of "b" by client 0 [2, 3] was called, which was acknowledged ' +
      "before the get was called.",
  );
});
