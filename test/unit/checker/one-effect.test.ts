import { describe, expect, test } from "vitest";
import type { Operation, Verdict } from "../../../src/checker/history.ts";
import { oneEffect } from "../../../src/checker/one-effect.ts";
import { writeOrder } from "../../../src/checker/write-order.ts";
import { get, history, holding, put } from "./support/operations.ts";

const verdictOf = (...operations: readonly Operation[]): Verdict =>
  oneEffect(history(operations)).verdict;

const FIRST = put("a", 0, 1, { stamp: 100 });

describe("a retry after the acknowledgement", () => {
  test("is acknowledged with the same stamp", () => {
    expect(oneEffect(history([FIRST, put("a", 2, 3, { stamp: 100 })]))).toMatchObject({
      verdict: "true",
      examined: 1,
    });
    const again = oneEffect(history([FIRST, put("a", 2, 3, { stamp: 101 })]));
    expect(again.violations[0]?.sentence).toBe(
      '"a" took effect again, with stamp 101, by put of "a" by client 0 [2, 3, stamp 101], although it had been ' +
        'acknowledged: put of "a" by client 0 [0, 1, stamp 100], put of "a" by client 0 [2, 3, stamp 101].',
    );
  });

  test("makes no second version either when nobody heard of its outcome", () => {
    const lost = put("a", 2);
    expect(verdictOf(FIRST, lost)).toBe("true");
    expect(verdictOf(FIRST, lost, get("a", 4, 5, { stamp: 100 }))).toBe("true");
    expect(verdictOf(FIRST, lost, get("a", 4, 5, { stamp: 101 }))).toBe("false");
    expect(oneEffect(history([FIRST, lost], holding(["a", 101]))).verdict).toBe("false");
  });

  test("is told apart from an attempt that was called in time", () => {
    const early = put("a", 0);
    expect(verdictOf(early, FIRST, put("a", 2), get("a", 4, 5, { stamp: 101 }))).toBe("true");
    expect(verdictOf(early, FIRST, put("a", 2, 3, { stamp: 101 }))).toBe("true");
  });

  test("may find either of two versions", () => {
    const second = put("a", 0, 1, { stamp: 105 });
    expect(verdictOf(FIRST, second, put("a", 2, 3, { stamp: 105 }))).toBe("true");
  });
});

describe("which retries are held to it", () => {
  test.each([
    { what: "called while the other was under way", retry: { call: 1 }, judged: false },
    { what: "called after it", retry: { call: 2 }, judged: true },
    { what: "whose learn round need not meet it", retry: { call: 2, r: 1, w: 2 }, judged: false },
    { what: "of a write that renounced durability", first: "async", judged: false },
    { what: "of a write that one replica acknowledged", w: 1, judged: false },
  ] as const)("one $what: $judged", ({ retry, first, w = 2, judged }) => {
    const acknowledged: Operation = { ...FIRST, durability: first ?? "sync", w };
    const again = put("a", 2, 3, { stamp: 101, ...retry });
    expect(verdictOf(acknowledged, again)).toBe(judged ? "false" : "true");
  });

  /** Writes of others in between. */
  const others = (count: number, details: Partial<Operation> = {}): readonly Operation[] =>
    Array.from({ length: count }, (_, i) =>
      put(`other ${i}`, 2, 3, { stamp: 200 + i, ...details }),
    );
  const RETRY = put("a", 4, 5, { stamp: 999 });

  test("15 newer writes in between are remembered along with it, 16 are not", () => {
    expect(verdictOf(FIRST, ...others(15), RETRY)).toBe("false");
    expect(verdictOf(FIRST, ...others(16), RETRY)).toBe("true");
  });

  test("older ones and later ones do not count, and unknown ones do", () => {
    expect(verdictOf(FIRST, ...others(16, { stamp: 99 }), RETRY)).toBe("false");
    expect(verdictOf(FIRST, ...others(16, { call: 6, end: 7 }), RETRY)).toBe("false");
    const unknown = { stamp: undefined, end: undefined, outcome: "unknown" } as const;
    expect(verdictOf(FIRST, ...others(16, unknown), RETRY)).toBe("true");
    expect(verdictOf(FIRST, ...others(16, { outcome: "not-applied" }), RETRY)).toBe("false");
    expect(verdictOf(FIRST, ...others(16, { key: "elsewhere" }), RETRY)).toBe("false");
  });

  test("10 minutes of stamps are remembered", () => {
    const minutes = (count: number): number => 100 + count * 60_000 * 2_048;
    const newest = (stamp: number): Operation => put("newest", 2, 3, { stamp });
    expect(verdictOf(FIRST, newest(minutes(10)), RETRY)).toBe("false");
    expect(verdictOf(FIRST, newest(minutes(10) + 1), RETRY)).toBe("true");
  });
});

test("an attempt mints once: two unknown attempts explain two stamps, not three", () => {
  const attempts = [put("a", 0), put("a", 1)];
  const gets = [5, 6, 7].map((stamp, i) => get("a", 2 + 2 * i, 3 + 2 * i, { stamp }));
  expect(writeOrder(history([...attempts, ...gets.slice(0, 2)])).verdict).toBe("true");
  expect(writeOrder(history([...attempts, ...gets])).violations[0]?.sentence).toMatch(
    /^"a" was minted more often than it was attempted: stamps 5, 6, 7 besides those of put of "a"/,
  );
});
