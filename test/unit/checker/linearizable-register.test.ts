import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { closeUnknown } from "../../../src/checker/close-unknown.ts";
import type { History, Operation, Verdict } from "../../../src/checker/history.ts";
import { linearizableRegister } from "../../../src/checker/linearizable-register.ts";
import { linearize } from "../../../src/checker/wgl.ts";
import { SeededRng } from "../../../src/testing/seeded-rng.ts";
import { forAll } from "../core/support/for-all.ts";
import { isLinearizable } from "./support/brute-force.ts";
import { get, history, put } from "./support/operations.ts";
import { runQuorumRegister } from "./support/quorum-register.ts";
import { anyHistory, atomicHistory, withOneReadChanged } from "./support/register-histories.ts";

const TINY = { operationsMax: 7, keys: 1 };
const LARGE = { operationsMax: 60, keys: 2 };

const verdictOf = (operations: readonly Operation[]): Verdict =>
  linearizableRegister(history(operations)).verdict;

/** What the search is asked where nothing was closed: unknown writes are open for ever. */
const asSeen = (operations: readonly Operation[]): readonly Operation[] =>
  operations.filter(
    ({ kind, outcome }) => outcome === "ok" || (kind !== "get" && outcome === "unknown"),
  );

function searched(operations: readonly Operation[]): Verdict {
  return linearize(operations).verdict;
}

const byKey = (operations: readonly Operation[]): readonly (readonly Operation[])[] =>
  [...new Set(operations.map(({ key }) => key))].map((key) =>
    operations.filter((it) => it.key === key),
  );

const expected = (linearizable: boolean): Verdict => (linearizable ? "true" : "false");

describe("against every order of up to 7 operations", () => {
  test("zones, search on closed and search on open histories say what brute force says", () => {
    const said = new Map<boolean, number>();
    forAll([fc.oneof(anyHistory(TINY), withOneReadChanged(TINY))], ({ operations }) => {
      const linearizable = isLinearizable(operations);
      said.set(linearizable, (said.get(linearizable) ?? 0) + 1);
      expect({
        zones: verdictOf(operations),
        closed: searched(closeUnknown(operations)),
        open: searched(asSeen(operations)),
      }).toEqual({
        zones: expected(linearizable),
        closed: expected(linearizable),
        open: expected(linearizable),
      });
    });
    // Neither answer is rare, or agreement would mean little.
    expect(Math.min(said.get(true) ?? 0, said.get(false) ?? 0)).toBeGreaterThan(10);
  });

  test("also where attempts share a version, against the format", () => {
    const halved = ({ version, ...rest }: Operation): Operation => ({
      ...rest,
      version: version === undefined ? undefined : `v${Number(version.slice(1)) >> 1}`,
    });
    forAll([atomicHistory({ ...TINY, operationsMax: 6 })], ({ operations }) => {
      const shared = operations.map(halved);
      expect(verdictOf(shared)).toBe(expected(isLinearizable(shared)));
    });
  });
});

describe("against the search, on histories too large for brute force", () => {
  /** Holds zones and search against each other where the search comes to an end, as it mostly does. */
  function expectAgreement(histories: fc.Arbitrary<History>, verdicts: readonly Verdict[]): void {
    let decided = 0;
    forAll([histories], ({ operations }) => {
      const said = byKey(closeUnknown(operations)).map(searched);
      if (said.includes("unknown")) return;
      decided += 1;
      const verdict = expected(said.every((it) => it === "true"));
      expect(verdicts).toContain(verdict);
      expect(verdictOf(operations)).toBe(verdict);
    });
    expect(decided).toBeGreaterThan(150);
  }

  test("histories of an atomic register are linearizable", () => {
    expectAgreement(atomicHistory(LARGE), ["true"]);
  });

  test("and when one read returns something else they may be or not", () => {
    expectAgreement(withOneReadChanged(LARGE), ["true", "false"]);
  });
});

describe("the search", () => {
  test("is given up as unknown after stepsMax steps, and unknown is the verdict", () => {
    const operations = [put("a", 0, 9), put("a", 0, 9), get("a", 10, 11)];
    expect(linearizableRegister(history(operations), { stepsMax: 2 }).verdict).toBe("unknown");
    expect(linearizableRegister(history(operations), { stepsMax: 9 }).verdict).toBe("true");
  });

  test("names the operation that no order can place", () => {
    const stale = get("a", 4, 5);
    const result = linearize([put("a", 0, 1), put("b", 2, 3), stale, get("b", 6, 7)]);
    expect(result.stuck).toBe(stale);
  });

  test("does not try one set of operations with one version left behind twice", () => {
    // 12 concurrent writes have 12! orders, but 2^12 sets with at most 12 last versions.
    const writes = Array.from({ length: 12 }, (_, i) => put(`v${i}`, 0, 1));
    const { verdict, steps } = linearize([...writes, get(undefined, 2, 3)]);
    expect(verdict).toBe("false");
    expect(steps).toBeLessThan(12 * 12 * 2 ** 12);
  });

  test("does not try the orders of gets that fit", () => {
    const gets = Array.from({ length: 24 }, () => get("a", 2, 3));
    const { verdict, steps } = linearize([put("a", 0, 1), ...gets, get("unwritten", 4, 5)]);
    expect(verdict).toBe("false");
    expect(steps).toBeLessThan(100);
  });

  test("lets a write whose answer was 'unknown' take effect after that answer", () => {
    const late = put("a", 0, 1, { outcome: "unknown" });
    expect(searched([late, get(undefined, 2, 3), get("a", 4, 5)])).toBe("true");
  });

  test("takes a few steps an operation: 1,000 of 8 clients on one key", () => {
    const rng = new SeededRng("steps");
    for (let run = 0; run < 10; run++) {
      const { operations } = runQuorumRegister({
        seed: rng.uint32(),
        n: 3,
        r: 2,
        w: 2,
        operations: 1_000,
        clients: 8,
        keys: 1,
        ownSizes: 0,
        asyncShare: 0,
        loss: 0.02,
        powerLoss: 0,
        skew: 100,
        retries: 0,
        mutant: undefined,
      });
      const { verdict, steps } = linearize(closeUnknown(operations));
      expect(verdict).toBe("true");
      expect(steps).toBeLessThan(10_000);
    }
  });
});

describe("evidence", () => {
  test("of two versions that cannot be ordered: the four operations that say so", () => {
    const [a, b, early, late] = [put("a", 0), put("b", 0), get("a", 1, 2), get("a", 5, 6)];
    const between = get("b", 3, 4);
    const { violations } = linearizableRegister(history([a, b, early, between, late]));
    expect(violations).toHaveLength(1);
    expect(violations[0]?.operations).toEqual([early, between, late]);
    expect(violations[0]?.sentence).toBe(
      'Neither "a" nor "b" can have been written first: get of "a" by client 0 [1, 2] ended before ' +
        'get of "b" by client 0 [3, 4] was called, and get of "b" by client 0 [3, 4] ended before ' +
        'get of "a" by client 0 [5, 6] was called.',
    );
  });
});
