import { describe, expect, test } from "vitest";
import type { History, Operation, Verdict } from "../../../src/checker/history.ts";
import { writeOrder } from "../../../src/checker/write-order.ts";
import { forAll } from "../core/support/for-all.ts";
import { isBefore, pairs } from "./support/brute-force.ts";
import { get, history, holding, put } from "./support/operations.ts";
import { atomicHistory, shuffledStamps } from "./support/register-histories.ts";

const verdictOf = (...operations: readonly Operation[]): Verdict =>
  writeOrder(history(operations)).verdict;

const writesOf = ({ operations }: History): readonly Operation[] =>
  operations.filter((it) => it.kind !== "get" && it.outcome !== "not-applied");

describe("against every pair of writes", () => {
  test("it finds all whose stamps, told or read, are not in the order of time, and a final state that is overwritten", () => {
    const said = new Map<boolean, number>();
    forAll([shuffledStamps({ operationsMax: 10, keys: 2 })], (seen) => {
      const told = [
        ...seen.operations,
        ...seen.replicas.flatMap(({ records }) => [...records.values()]),
      ];
      const stampOf = (write: Operation): number =>
        told.find((it) => it.version === write.version && it.stamp !== undefined)?.stamp ?? NaN;
      const isFinal = (write: Operation): boolean =>
        seen.replicas[0]?.records.get(write.key)?.version === write.version;
      const isDisordered = pairs(writesOf(seen)).some(
        ([a, b]) =>
          a.key === b.key &&
          isBefore(a, b) &&
          (stampOf(a) >= stampOf(b) || (b.outcome === "ok" && isFinal(a))),
      );
      said.set(isDisordered, (said.get(isDisordered) ?? 0) + 1);
      expect(writeOrder(seen).verdict).toBe(isDisordered ? "false" : "true");
    });
    expect(Math.min(said.get(true) ?? 0, said.get(false) ?? 0)).toBeGreaterThan(10);
  });

  test("of a correct history, any two ordered writes with their stamps swapped are caught", () => {
    let caught = 0;
    forAll([atomicHistory({ operationsMax: 12, keys: 1 })], (seen) => {
      const ordered = pairs(writesOf(seen)).find(([a, b]) => isBefore(a, b) && b.outcome === "ok");
      if (ordered === undefined) return;
      const [a, b] = ordered;
      const swap = (it: Operation): Operation => ({
        ...it,
        stamp: it === a ? b.stamp : it === b ? a.stamp : it.stamp,
      });
      caught += 1;
      expect(verdictOf(...seen.operations.map(swap))).toBe("false");
    });
    expect(caught).toBeGreaterThan(10);
  });
});

describe("which writes are held against each other", () => {
  // L = N + 1 − min(R, W) of the later one, W of the earlier one: L + W > N.
  test.each([
    { earlier: 1, r: 2, w: 2, judged: false },
    { earlier: 2, r: 2, w: 2, judged: true },
    { earlier: 3, r: 2, w: 2, judged: true },
    { earlier: 1, r: 1, w: 3, judged: true },
    { earlier: 1, r: 3, w: 1, judged: true },
    { earlier: 2, r: 3, w: 3, judged: false },
    { earlier: 3, r: 1, w: 1, judged: false },
    { earlier: 3, r: 2, w: 1, judged: false },
  ])("N=3 W=$earlier, then R=$r W=$w: $judged", ({ earlier, r, w, judged }) => {
    const verdict = verdictOf(
      put("a", 0, 1, { stamp: 9, w: earlier }),
      put("b", 2, 3, { stamp: 5, r, w }),
    );
    expect(verdict).toBe(judged ? "false" : "true");
  });

  test("an async one may have been lost before the later one learned; the other way round it counts", () => {
    const older = { stamp: 9, durability: "async" } as const;
    const newer = { stamp: 5, durability: "async" } as const;
    expect(verdictOf(put("a", 0, 1, older), put("b", 2, 3, { stamp: 5 }))).toBe("true");
    expect(verdictOf(put("a", 0, 1, { stamp: 9 }), put("b", 2, 3, newer))).toBe("false");
  });

  test("equal stamps are no order", () => {
    expect(verdictOf(put("a", 0, 1, { stamp: 9 }), put("b", 2, 3, { stamp: 9 }))).toBe("false");
  });

  test("a later write without acknowledgement, whose stamp a get tells, counts too", () => {
    expect(verdictOf(put("a", 0, 1, { stamp: 9 }), put("b", 2), get("b", 3, 4, { stamp: 5 }))).toBe(
      "false",
    );
  });
});

test("a version with another stamp at a replica than its write was told", () => {
  const seen = history([put("a", 0, 1, { stamp: 9 })], holding(["a", 9], ["a", 10]));
  expect(writeOrder(seen).violations[0]?.sentence).toBe(
    '"a" has two stamps: 9 (put of "a" by client 0 [0, 1, stamp 9]) and 10 at replica n2.',
  );
});
