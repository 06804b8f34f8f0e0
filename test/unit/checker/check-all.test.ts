import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  checkAll,
  LWW_CHECKERS,
  passed,
  SIBLINGS_CHECKERS,
  STRONG_CHECKERS,
} from "../../../src/checker/check-all.ts";
import { VIOLATIONS_MAX } from "../../../src/checker/evidence.ts";
import { expiry } from "../../../src/checker/expiry.ts";
import type {
  Finding,
  History,
  Operation,
  ReplicaState,
  SeenSibling,
} from "../../../src/checker/history.ts";
import { indexed } from "../../../src/checker/indexed-history.ts";
import { regular } from "../../../src/checker/regular.ts";
import { summary } from "../../../src/checker/summary.ts";
import { forAll } from "../core/support/for-all.ts";
import { get, history, put } from "./support/operations.ts";
import { runQuorumRegister } from "./support/quorum-register.ts";
import { atomicHistory, shuffledStamps, withoutStamps } from "./support/register-histories.ts";

/** With the one that has to be told of clocks. */
const EVERY_CHECKER = [
  ...STRONG_CHECKERS,
  ...SIBLINGS_CHECKERS,
  expiry([{ least: -1, greatest: 1 }]),
];

describe("a correct register", () => {
  const sizes = { operationsMax: 80, keys: 3 };

  test("passes all checkers: atomic, any interleaving, unknown outcomes", () => {
    forAll([atomicHistory(sizes)], (seen) => {
      expect(summary(checkAll(seen, EVERY_CHECKER))).toMatch(/^passed$/m);
    });
  });

  test("passes all checkers when the API tells no stamps", () => {
    forAll([atomicHistory(sizes)], (seen) => {
      expect(summary(checkAll(withoutStamps(seen), EVERY_CHECKER))).toMatch(/^passed$/m);
    });
  });
});

describe("checkers are total functions of the history", () => {
  const time = fc.constantFrom(0, 1, 2, 2, 3, -1, 0.5, NaN, Infinity, -Infinity);
  const size = fc.constantFrom(0, 1, 2, 3, -1, NaN);
  const maybe = <T>(it: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
    fc.option(it, { nil: undefined });
  const version = fc.constantFrom("a", "b", "", "__proto__");
  const sibling: fc.Arbitrary<SeenSibling> = fc.record({
    version,
    dot: version,
    stamp: time,
    expiresAt: maybe(time),
    expired: fc.boolean(),
  });
  const operation: fc.Arbitrary<Operation> = fc.record({
    client: size,
    key: fc.constantFrom("k", "", "__proto__"),
    kind: fc.constantFrom("put", "delete", "get"),
    call: time,
    end: maybe(time),
    outcome: fc.constantFrom("ok", "not-applied", "unknown"),
    version: maybe(version),
    stamp: maybe(time),
    expiresAt: maybe(time),
    expired: fc.boolean(),
    n: size,
    r: size,
    w: size,
    durability: fc.constantFrom("sync", "async"),
    causality: maybe(
      fc.record({
        blindWrites: fc.constantFrom("overwrite", "sibling", "refuse"),
        siblingsMax: size,
        sent: maybe(version),
        context: maybe(version),
        siblings: fc.array(sibling, { maxLength: 3 }),
      }),
    ),
  });
  const replica: fc.Arbitrary<ReplicaState> = fc
    .tuple(fc.constantFrom("n1", "n2"), version, time, fc.boolean(), fc.constantFrom("", "x"))
    .map(([node, held, stamp, tombstone, digest]) => ({
      node,
      records: new Map([["k", { version: held, stamp, tombstone, digest }]]),
    }));
  const garbage: fc.Arbitrary<History> = fc.record({
    operations: fc.array(operation, { maxLength: 12 }),
    replicas: fc.array(replica, { maxLength: 4 }),
  });

  test("on histories that make no sense they return a finding, the same one each time", () => {
    forAll([garbage], (seen) => {
      const findings = checkAll(seen, EVERY_CHECKER);
      expect(findings.map(({ verdict }) => verdict)).toHaveLength(EVERY_CHECKER.length);
      expect(checkAll(seen, EVERY_CHECKER)).toEqual(findings);
      for (const { verdict, violations } of findings) {
        expect(verdict === "false").toBe(violations.length > 0);
      }
    });
  });

  test("an indexed history and the history itself give one finding", () => {
    forAll([atomicHistory({ operationsMax: 12, keys: 2 })], (seen) => {
      for (const checker of EVERY_CHECKER) {
        expect(checker(indexed(seen))).toEqual(checker(seen));
      }
    });
  });

  test("it does not matter in which order a history lists its operations", () => {
    const shuffled = shuffledStamps({ operationsMax: 10, keys: 2 }).chain((seen) =>
      fc
        .shuffledSubarray([...seen.operations], { minLength: seen.operations.length })
        .map((operations) => ({ seen, shuffled: { ...seen, operations } })),
    );
    const verdicts = (seen: History): readonly string[] =>
      checkAll(seen, EVERY_CHECKER).map(({ checker, verdict }) => `${checker} ${verdict}`);
    forAll([shuffled], (each) => {
      expect(verdicts(each.shuffled)).toEqual(verdicts(each.seen));
    });
  });

  test("the violations listed are bounded, those counted as the verdict are not", () => {
    const stale = Array.from({ length: 100 }, (_, i) => get(undefined, 2 + i, 3 + i));
    const finding = regular(history([put("a", 0, 1), ...stale]));
    expect(finding).toMatchObject({ verdict: "false", examined: 100 });
    expect(finding.violations).toHaveLength(VIOLATIONS_MAX);
  });
});

describe("steps, counted as fields of operations that are looked at", () => {
  function looksAt(operations: number, keys: number): number {
    const seen = runQuorumRegister({
      seed: 7,
      n: 3,
      r: 2,
      w: 2,
      operations,
      clients: 8,
      keys,
      ownSizes: 0.2,
      asyncShare: 0.1,
      loss: 0.02,
      powerLoss: 0.001,
      skew: 50,
      retries: 0.1,
      mutant: undefined,
    });
    let looks = 0;
    const counted = seen.operations.map(
      (it) =>
        new Proxy(it, {
          get(target, field, receiver) {
            looks += 1;
            return Reflect.get(target, field, receiver) as unknown;
          },
        }),
    );
    checkAll({ ...seen, operations: counted }, EVERY_CHECKER);
    return looks;
  }

  test.each([1, 3, 50])("are at most 150 an operation, for 1,000 over %i keys", (keys) => {
    expect(looksAt(1_000, keys) / 1_000).toBeLessThan(150);
  });

  test("are hardly more an operation for ten times as many on one key", () => {
    expect(looksAt(10_000, 1)).toBeLessThan(15 * looksAt(1_000, 1));
  });
});

describe("the summary", () => {
  const finding = (checker: string, verdict: Finding["verdict"]): Finding => ({
    checker,
    verdict,
    violations:
      verdict === "false" ? [{ key: "k", sentence: "It went wrong.", operations: [] }] : [],
    examined: 5,
  });

  test("passed: all are true", () => {
    const findings = [finding("regular", "true"), finding("durability", "true")];
    expect(passed(findings)).toBe(true);
    expect(summary(findings)).toBe(
      [
        "regular                true     5 examined",
        "durability             true     5 examined",
        "passed",
      ].join("\n"),
    );
  });

  test("unknown is no pass", () => {
    const findings = [finding("regular", "true"), finding("durability", "unknown")];
    expect(passed(findings)).toBe(false);
    expect(summary(findings)).toMatch(/not passed; unknown, which is no pass: durability$/);
  });

  test("violated, with the evidence", () => {
    const findings = [finding("regular", "false"), finding("durability", "unknown")];
    expect(summary(findings)).toBe(
      [
        "regular                false    5 examined, first 1 violations",
        '  key "k": It went wrong.',
        "durability             unknown  5 examined",
        "not passed; violated: regular; unknown, which is no pass: durability",
      ].join("\n"),
    );
  });

  test("a strong bucket promises all that the others do, and linearizability", () => {
    const extra = STRONG_CHECKERS.filter((checker) => !LWW_CHECKERS.includes(checker));
    expect(extra.map((checker) => checker(history([])).checker)).toEqual(["linearizable-register"]);
  });
});
