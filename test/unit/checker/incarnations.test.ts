import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { History, Operation } from "../../../src/checker/history.ts";
import { incarnationsApart } from "../../../src/checker/incarnations.ts";
import { logicalWrites } from "../../../src/checker/logical-writes.ts";
import { monotonicReads } from "../../../src/checker/monotonic-reads.ts";
import { regular } from "../../../src/checker/regular.ts";
import { unwritten } from "../../../src/checker/unwritten.ts";
import { forAll } from "../core/support/for-all.ts";
import { isMonotonic, isWeaklyRegular } from "./support/brute-force.ts";
import { get, history, holding, put, refused } from "./support/operations.ts";
import { withoutStamps } from "./support/register-histories.ts";

function apart(seen: History): History {
  return incarnationsApart(seen, logicalWrites(seen));
}

/** Version, call, outcome of each operation. */
function told(...operations: readonly Operation[]): readonly unknown[] {
  return apart(history(operations)).operations.map(({ version, call, outcome }) => [
    version,
    call,
    outcome,
  ]);
}

describe("which version an operation speaks of", () => {
  test("a write that was attempted once keeps its identity, whatever stamps are told of it", () => {
    const seen = history([put("a", 0), get("a", 1, 2, { stamp: 5 })], holding(["a", 7]));
    expect(apart(seen)).toBe(seen);
  });

  test("so does one of which nobody was told a stamp", () => {
    const seen = history([put("a", 0), put("a", 1, 2), get("a", 3, 4)]);
    expect(apart(seen)).toBe(seen);
  });

  test("where siblings are kept one attempt may have become two versions, each with an expiry of its own", () => {
    const causality = {
      blindWrites: "overwrite",
      siblingsMax: 32,
      sent: undefined,
      context: undefined,
      siblings: [],
    } as const;
    const seen = history([
      put("a", 0, 1, { stamp: 5, expiresAt: 50, causality }),
      get("a", 2, 3, { stamp: 5, expiresAt: 50 }),
      get("a", 2, 3, { stamp: 8, expiresAt: 80 }),
    ]);
    expect(
      apart(seen).operations.map(({ version, expiresAt, outcome }) => [
        version,
        expiresAt,
        outcome,
      ]),
    ).toEqual([
      ["a@5", 50, "ok"],
      ["a@8", 80, "ok"],
      ["a@5", 50, "ok"],
      ["a@8", undefined, "unknown"],
    ]);
    // The second attempt found what the first one had become besides.
    const again = history([
      put("a", 0, undefined, { stamp: 5, causality }),
      get("a", 2, 3, { stamp: 8 }),
      put("a", 4, 6, { stamp: 8, causality }),
    ]);
    expect(unwritten(again).verdict).toBe("true");
  });

  test("two acknowledged attempts of one write with two stamps are two versions, so are the gets of them", () => {
    expect(
      told(
        put("a", 0, 1, { stamp: 5 }),
        put("a", 2, 3, { stamp: 8 }),
        get("a", 4, 5, { stamp: 8 }),
        get("a", 4, 5, { stamp: 5 }),
      ),
    ).toEqual([
      ["a@8", 4, "ok"],
      ["a@5", 4, "ok"],
      ["a@8", 2, "ok"],
      ["a@5", 0, "ok"],
    ]);
  });

  test("with one stamp they are attempts of one version", () => {
    const attempts = [put("a", 0, undefined, { stamp: 5 }), put("a", 2, 3, { stamp: 5 })];
    expect(told(...attempts)).toEqual([
      ["a@5", 0, "unknown"],
      ["a@5", 2, "ok"],
    ]);
  });

  test("what is read under a stamp that nobody was told counts as written from the earliest attempt on that was told none", () => {
    expect(
      told(put("a", 0, 1, { stamp: 5 }), put("a", 2), put("a", 3), get("a", 8, 9, { stamp: 7 })),
    ).toEqual([
      ["a@7", 8, "ok"],
      ["a@7", 2, "unknown"],
      ["a@7", 3, "unknown"],
      ["a@5", 0, "ok"],
    ]);
  });

  test("an attempt that heard nothing may have minted what a later one was told", () => {
    expect(told(put("a", 0), put("a", 2, 3, { stamp: 5 }), get("a", 1, 2, { stamp: 5 }))).toEqual([
      ["a@5", 1, "ok"],
      ["a@5", 2, "ok"],
      ["a@5", 0, "unknown"],
    ]);
  });

  test("a refused attempt is nobody's, unless what is read can be due to nobody else", () => {
    const [first, second] = [refused("a", 0, 1), put("a", 2, 3, { stamp: 5 })];
    expect(told(first, second)).toEqual([["a@5", 2, "ok"]]);
    expect(told(first, second, get("a", 4, 5, { stamp: 4 }))).toEqual([
      ["a@4", 4, "ok"],
      ["a@4", 0, "not-applied"],
      ["a@5", 2, "ok"],
    ]);
  });

  test("replicas hold versions by stamp too", () => {
    const seen = history(
      [put("a", 0, 1, { stamp: 5 }), put("a", 2, 3, { stamp: 8 })],
      holding(["a", 8], ["a", 5]),
    );
    const held = apart(seen).replicas.map(({ records }) => records.get("k")?.version);
    expect(held).toEqual(["a@8", "a@5"]);
  });

  test("the same identity under another key is another write", () => {
    const seen = [put("a", 0), put("a", 1, 2, { key: "other", stamp: 3 })];
    expect(apart(history(seen)).operations).toEqual(seen);
  });
});

/** A few attempts of two writes; what their stamps are was told to some of them, gets tell all. */
const attempted: fc.Arbitrary<History> = fc
  .array(
    fc.record({
      version: fc.constantFrom("a", "a", "b"),
      kind: fc.constantFrom("put", "put", "get"),
      call: fc.nat(14),
      takes: fc.nat(2),
      stamp: fc.integer({ min: 1, max: 2 }),
      answered: fc.boolean(),
      told: fc.boolean(),
    }),
    { minLength: 3, maxLength: 6, size: "max" },
  )
  .map((steps) =>
    history(
      steps.map(({ version, kind, call, takes, stamp, answered, told: isTold }) => {
        const end = call + takes;
        if (kind === "get") return get(version, call, end, { stamp });
        if (answered) return put(version, call, end, { stamp });
        return put(version, call, undefined, { stamp: isTold ? stamp : undefined });
      }),
    ),
  );

/** Every way in which the attempts that were told no stamp can have minted what was read, or nothing. */
function explanations({ operations }: History): readonly (readonly Operation[])[] {
  const isUnstamped = (it: Operation): boolean => it.kind !== "get" && it.stamp === undefined;
  let all: readonly (readonly Operation[])[] = [[]];
  for (const operation of operations) {
    const stamps = isUnstamped(operation) ? [undefined, 1, 2] : [operation.stamp];
    const versions = stamps.map((stamp) => `${operation.version}@${stamp ?? "nobody"}`);
    all = all.flatMap((chosen) =>
      versions.map((version) => [...chosen, { ...operation, version }]),
    );
  }
  // An order of versions has a place for each once: of its attempts the one that was called first,
  // acknowledged when the first of them was.
  return all.map(onceEach).filter(isExplained);
}

function onceEach(operations: readonly Operation[]): readonly Operation[] {
  const gets = operations.filter(({ kind }) => kind === "get");
  const writes = operations.filter(({ kind }) => kind !== "get");
  const versions = [...new Set(writes.map(({ version }) => version))];
  return [
    ...gets,
    ...versions.map((version) => {
      const attempts = writes.filter((it) => it.version === version);
      const acked = attempts.filter(({ outcome }) => outcome === "ok");
      const end = Math.min(...acked.map((it) => it.end ?? Infinity));
      const call = Math.min(...attempts.map((it) => it.call));
      return acked.length === 0 ? put(`${version}`, call) : put(`${version}`, call, end);
    }),
  ];
}

/** Whatever was read was written, and not after it was read. */
function isExplained(operations: readonly Operation[]): boolean {
  return operations.every(
    (it) =>
      it.kind !== "get" ||
      operations.some(
        ({ kind, version, call }) =>
          kind !== "get" && version === it.version && call <= (it.end ?? Infinity),
      ),
  );
}

describe("against every way in which the attempts can have minted what was read", () => {
  const judged = [
    { name: "monotonic reads", checker: monotonicReads, isTrue: isMonotonic },
    { name: "regular", checker: regular, isTrue: isWeaklyRegular },
    { name: "unwritten", checker: unwritten, isTrue: () => true },
  ] as const;

  test.each(judged)(
    "$name: what one of them explains is never objected to",
    ({ checker, isTrue }) => {
      const said = { explained: 0, objected: 0 };
      forAll(
        [attempted],
        (seen) => {
          const { verdict } = checker(withoutStamps(apart(seen)));
          const explained = explanations(seen).some((it) => isTrue(it));
          if (explained) said.explained += 1;
          if (verdict === "false") said.objected += 1;
          expect(explained && verdict !== "true").toBe(false);
        },
        1_000,
      );
      expect(said.explained).toBeGreaterThan(100);
      expect(said.objected).toBeGreaterThan(0);
    },
  );

  test.each(judged)(
    "$name: where every attempt was told a stamp of its own, it objects exactly when none of them does",
    ({ checker, isTrue }) => {
      forAll(
        [attempted],
        (seen) => {
          const known = seen.operations.filter(({ stamp }) => stamp !== undefined);
          const once = onceEach(known.map(named));
          if (once.length < known.length || !isExplained(once)) return;
          const { verdict } = checker(withoutStamps(apart(history(known))));
          expect(verdict).toBe(isTrue(once) ? "true" : "false");
        },
        1_000,
      );
    },
  );
});

function named(operation: Operation): Operation {
  return { ...operation, version: `${operation.version}@${operation.stamp}` };
}
