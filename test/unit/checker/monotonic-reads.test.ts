import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { History, Operation, Verdict } from "../../../src/checker/history.ts";
import { monotonicReads } from "../../../src/checker/monotonic-reads.ts";
import { forAll } from "../core/support/for-all.ts";
import { isBefore, isMonotonic, pairs } from "./support/brute-force.ts";
import { get, history, put } from "./support/operations.ts";
import {
  anyHistory,
  shuffledStamps,
  withOneReadChanged,
  withoutStamps,
} from "./support/register-histories.ts";

const TINY = { operationsMax: 7, keys: 1 };

const verdictOf = (...operations: readonly Operation[]): Verdict =>
  monotonicReads(history(operations)).verdict;

describe("by times, against every order of the versions", () => {
  test("what it calls false, no order explains", () => {
    let caught = 0;
    forAll(
      [fc.oneof(anyHistory(TINY), withOneReadChanged(TINY))],
      (seen) => {
        if (monotonicReads(withoutStamps(seen)).verdict === "true") return;
        caught += 1;
        expect(isMonotonic(seen.operations)).toBe(false);
      },
      500,
    );
    expect(caught).toBeGreaterThan(10);
  });

  test("where no write was acknowledged it calls false all that no order explains", () => {
    const said = new Map<boolean, number>();
    const unacknowledged = (it: Operation): Operation =>
      it.kind === "get" ? it : { ...it, outcome: "unknown" };
    forAll(
      [anyHistory(TINY)],
      (seen) => {
        const operations = withoutStamps(seen).operations.map(unacknowledged);
        const monotonic = isMonotonic(operations);
        said.set(monotonic, (said.get(monotonic) ?? 0) + 1);
        expect(verdictOf(...operations)).toBe(monotonic ? "true" : "false");
      },
      500,
    );
    expect(Math.min(said.get(true) ?? 0, said.get(false) ?? 0)).toBeGreaterThan(10);
  });
});

test("by stamps, it finds every get below one that ended before it was called", () => {
  const stampOf = (it: Operation): number => it.stamp ?? (it.version === undefined ? -1 : NaN);
  const goesBack = ({ operations }: History): boolean =>
    pairs(operations.filter((it) => it.kind === "get" && it.outcome === "ok")).some(
      ([a, b]) => a.key === b.key && isBefore(a, b) && stampOf(b) < stampOf(a),
    );
  const said = new Map<boolean, number>();
  forAll(
    [shuffledStamps({ operationsMax: 14, keys: 2 })],
    (seen) => {
      const byTimes = monotonicReads(withoutStamps(seen)).verdict === "false";
      const back = goesBack(seen);
      said.set(back, (said.get(back) ?? 0) + 1);
      expect(monotonicReads(seen).verdict).toBe(byTimes || back ? "false" : "true");
    },
    500,
  );
  expect(Math.min(said.get(true) ?? 0, said.get(false) ?? 0)).toBeGreaterThan(10);
});

describe("which gets are held against each other", () => {
  const sizes = [1, 2, 3].flatMap((r) => [1, 2, 3].map((later) => ({ r, later })));

  test.each(sizes)("by stamps, R=$r and then R=$later of N=3", ({ r, later }) => {
    const verdict = verdictOf(
      put("a", 0, undefined, { stamp: 1 }),
      put("b", 0, undefined, { stamp: 2 }),
      get("b", 1, 2, { stamp: 2, r }),
      get("a", 3, 4, { stamp: 1, r: later }),
    );
    expect(verdict).toBe(r + later > 3 ? "false" : "true");
  });

  test("by times, those with R > N/2", () => {
    const unread = (n: number, r: number): Verdict =>
      verdictOf(put("a", 0), get("a", 1, 2, { n, r }), get(undefined, 3, 4, { n, r }));
    expect([unread(3, 1), unread(3, 2), unread(3, 3)]).toEqual(["true", "false", "false"]);
    expect([unread(4, 2), unread(4, 3)]).toEqual(["true", "false"]);
  });

  test("by times, not one with R=1 and one with R=3, although by stamps they are", () => {
    const newer = get("b", 3, 4, { r: 1 });
    const operations = [put("a", 0, 1), put("b", 2), newer, get("a", 5, 6, { r: 3 })];
    expect(verdictOf(...operations)).toBe("true");
    expect(
      verdictOf(put("a", 0), get("a", 1, 2, { r: 1, stamp: 5 }), get(undefined, 3, 4, { r: 3 })),
    ).toBe("false");
  });

  test("by times, versions whose order is certain: the newer one's learn round met the older one", () => {
    const verdict = (older: Partial<Operation>, newer: Partial<Operation> = {}): Verdict =>
      verdictOf(
        put("a", 0, 1, older),
        put("b", 2, undefined, newer),
        get("b", 3, 4),
        get("a", 5, 6),
      );
    expect(verdict({})).toBe("false");
    expect(verdict({ w: 1 })).toBe("true");
    expect(verdict({ w: 1 }, { r: 1, w: 3 })).toBe("false");
    expect(verdict({}, { w: 1 })).toBe("true");
    expect(verdict({ durability: "async" })).toBe("true");
  });

  test("a version that was written async may be lost and read again", () => {
    const operations = [
      put("a", 0, undefined, { durability: "async", stamp: 5 }),
      get("a", 1, 2, { stamp: 5 }),
      get(undefined, 3, 4),
      get("a", 5, 6, { stamp: 5 }),
    ];
    expect(verdictOf(...operations)).toBe("true");
  });
});

test("the sentence tells both gets and both writes", () => {
  const operations = [put("a", 0, 1), put("b", 2), get("b", 3, 4), get("a", 5, 6)];
  const { violations } = monotonicReads(history(operations));
  expect(violations[0]?.operations).toEqual(operations);
  expect(violations[0]?.sentence).toBe(
    'Reads went back: get of "b" by client 0 [3, 4] ended before get of "a" by client 0 [5, 6] was ' +
      'called. The writes: put of "b" by client 0 [2, no answer, unknown], and before it put of "a" by ' +
      "client 0 [0, 1].",
  );
});
