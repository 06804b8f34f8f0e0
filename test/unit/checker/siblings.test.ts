import { describe, expect, test } from "vitest";
import { checkAll, passed, SIBLINGS_CHECKERS } from "../../../src/checker/check-all.ts";
import { falseSiblings } from "../../../src/checker/false-siblings.ts";
import { historyLines, parseHistory } from "../../../src/checker/history-lines.ts";
import type { Causality, Operation, SeenSibling } from "../../../src/checker/history.ts";
import { lostSiblings } from "../../../src/checker/lost-siblings.ts";
import { oneDot } from "../../../src/checker/one-dot.ts";
import { siblingBound } from "../../../src/checker/sibling-bound.ts";
import { summary } from "../../../src/checker/summary.ts";
import { forAll } from "../core/support/for-all.ts";
import * as usual from "./support/operations.ts";
import { sibling, siblingsHistory } from "./support/siblings-store.ts";
import type { Told } from "./support/siblings-store.ts";

type Facts = Partial<Causality> & Partial<Operation>;

function causalityOf(facts: Facts): Causality {
  const { blindWrites = "overwrite", siblingsMax = 32, sent, context, siblings = [] } = facts;
  return { blindWrites, siblingsMax, sent, context, siblings };
}

/** `v7` is stamped 7. */
function put(version: string, call: number, end?: number, facts: Facts = {}): Operation {
  const { w = 2, durability = "sync", outcome = end === undefined ? "unknown" : "ok" } = facts;
  const stamp = Number(version.slice(1));
  const causality = causalityOf(facts);
  return usual.put(version, call, end, { w, durability, outcome, stamp, causality });
}

function get(versions: readonly string[], call: number, end: number, facts: Facts = {}): Operation {
  const { r = 2 } = facts;
  const siblings = versions.map(sibling);
  return usual.get(undefined, call, end, { r, causality: causalityOf({ siblings, ...facts }) });
}

function held(siblings: readonly SeenSibling[]): ReturnType<typeof usual.holding> {
  const record = { version: "", stamp: 0, tombstone: false, digest: "", siblings };
  return ["n1", "n2", "n3"].map((node) => ({ node, records: new Map([["k", record]]) }));
}

/** The history with other siblings shown by its last get. */
function lastGetShowing({ history }: Told, versions: readonly string[]): readonly Operation[] {
  return history.operations.map((operation, at) =>
    at < history.operations.length - 1 || operation.causality === undefined
      ? operation
      : {
          ...operation,
          causality: { ...operation.causality, siblings: versions.map(sibling) },
        },
  );
}

function lastShown({ history }: Told): readonly string[] {
  const last = history.operations.at(-1)?.causality?.siblings ?? [];
  return last.map(({ version }) => version);
}

describe("against a store that keeps all that every writer has seen", () => {
  test("its histories pass all checkers, also as lines of a file", () => {
    forAll([siblingsHistory], ({ history }) => {
      if (history.replicas.length === 0) return;
      expect(summary(checkAll(history, SIBLINGS_CHECKERS))).toMatch(/^passed$/m);
      const parsed = parseHistory(historyLines(history));
      expect(parsed).toEqual({ kind: "history", history });
    });
  });

  test("each version that is not shown is missed", () => {
    forAll([siblingsHistory], (told) => {
      const shown = lastShown(told);
      for (const lost of shown) {
        const operations = lastGetShowing(
          told,
          shown.filter((version) => version !== lost),
        );
        const finding = lostSiblings({ operations, replicas: told.history.replicas });
        expect(finding.violations.some(({ sentence }) => sentence.includes(`"${lost}"`))).toBe(
          true,
        );
      }
    });
  });

  test("each version that is shown beside one whose writer had seen it is named", () => {
    forAll([siblingsHistory], (told) => {
      const shown = lastShown(told);
      for (const old of told.seenBy.keys()) {
        if (shown.includes(old) || !shown.some((it) => told.seenBy.get(it)?.has(old))) continue;
        // A get that shows it makes it part of its context only if nobody superseded it by then.
        const operations = lastGetShowing(told, [...shown, old]).slice(0, -1);
        const last = lastGetShowing(told, [...shown, old]).at(-1);
        if (last?.causality === undefined) throw new Error("the last one is a get");
        const unnamed = { ...last, causality: { ...last.causality, context: undefined } };
        const finding = falseSiblings({ operations: [...operations, unnamed], replicas: [] });
        expect(finding.verdict).toBe("false");
      }
    });
  });
});

describe("lost-siblings", () => {
  const verdict = (operations: readonly Operation[], siblings?: readonly string[]): string =>
    lostSiblings({
      operations,
      replicas: held(
        (siblings ?? operations.at(-1)?.causality?.siblings.map((it) => it.version) ?? []).map(
          sibling,
        ),
      ),
    }).verdict;

  test("a write with a context supersedes what that showed, and nothing beside it", () => {
    const begin = [put("v1", 0, 5), get(["v1"], 10, 15, { context: "c1" })];
    const concurrent = put("v2", 20, 25, { sent: "c1" });
    const other = put("v3", 30, 35, { sent: "c1" });
    expect(verdict([...begin, concurrent, other, get(["v2", "v3"], 40, 45)])).toBe("true");
    expect(verdict([...begin, concurrent, other, get(["v3"], 40, 45)])).toBe("false");
    expect(verdict([...begin, concurrent, get([], 40, 45)])).toBe("false");
  });

  test("a context of another key covers nothing here", () => {
    const other = { ...get(["v1"], 0, 5, { context: "c9" }), key: "other" };
    const ops = [put("v1", 0, 5), other, put("v2", 10, 15, { sent: "c9" }), get(["v2"], 20, 25)];
    expect(verdict(ops)).toBe("false");
  });

  test("a blind write that overwrites may have seen whatever was called before it ended", () => {
    const ops = [put("v1", 0, 30), put("v2", 10, 20), get(["v2"], 40, 45)];
    expect(verdict(ops)).toBe("true");
    expect(verdict([put("v1", 0, 5), put("v2", 10, 20), get(["v1"], 40, 45)])).toBe("false");
    const beside = { blindWrites: "sibling" } as const;
    expect(
      verdict([put("v1", 0, 30, beside), put("v2", 10, 20, beside), get(["v2"], 40, 45, beside)]),
    ).toBe("false");
  });

  test("what a get showed is found by every later one with R + R' > N", () => {
    const ops = [put("v1", 0), get(["v1"], 10, 15), get([], 20, 25)];
    expect(verdict(ops, ["v1"])).toBe("false");
    expect(verdict([put("v1", 0), get(["v1"], 10, 15, { r: 1 }), get([], 20, 25)], ["v1"])).toBe(
      "true",
    );
  });

  test("what asked for less, or renounced durability, is not promised", () => {
    expect(verdict([put("v1", 0, 5, { w: 1 }), get([], 10, 15)], ["v1"])).toBe("true");
    expect(verdict([put("v1", 0, 5, { durability: "async" }), get([], 10, 15)])).toBe("true");
  });

  test("what no replica holds in the end is lost; without dumps nothing is proven", () => {
    expect(verdict([put("v1", 0, 5)], [])).toBe("false");
    expect(lostSiblings({ operations: [put("v1", 0, 5)], replicas: [] }).verdict).toBe("unknown");
  });
});

describe("false-siblings", () => {
  const verdict = (...operations: readonly Operation[]): string =>
    falseSiblings({ operations, replicas: [] }).verdict;

  test("a version beside one that was written with a context that showed it", () => {
    const begin = [put("v1", 0, 5), get(["v1"], 10, 15, { context: "c1" })];
    expect(verdict(...begin, put("v2", 20, 25, { sent: "c1" }), get(["v1", "v2"], 30, 35))).toBe(
      "false",
    );
    expect(verdict(...begin, put("v2", 20, 25, { sent: "c0" }), get(["v1", "v2"], 30, 35))).toBe(
      "true",
    );
  });

  test("also where others came between", () => {
    const ops = [
      put("v1", 0, 5),
      get(["v1"], 10, 15, { context: "c1" }),
      put("v2", 20, 25, { sent: "c1" }),
      get(["v2"], 30, 35, { context: "c2" }),
      put("v3", 40, 45, { sent: "c2" }),
    ];
    expect(verdict(...ops, get(["v1", "v3"], 50, 55))).toBe("false");
  });

  test("a blind write that overwrites is no sibling of what enough replicas had shown before", () => {
    const shown = [put("v1", 0), get(["v1"], 1, 5)];
    const both = get(["v1", "v2"], 20, 25);
    expect(verdict(...shown, put("v2", 10, 15), both)).toBe("false");
    expect(verdict(...shown, put("v2", 3, 15), both)).toBe("true");
    expect(verdict(put("v1", 0), get(["v1"], 1, 5, { r: 1 }), put("v2", 10, 15), both)).toBe(
      "true",
    );
    const beside = { blindWrites: "sibling" } as const;
    expect(verdict(...shown, put("v2", 10, 15, beside), both)).toBe("true");
  });

  test("an acknowledged stamp may be that of another dot, which two replicas minted at once", () => {
    expect(verdict(put("v1", 0, 5), put("v2", 10, 15), get(["v1", "v2"], 20, 25))).toBe("true");
  });

  test("one write twice", () => {
    const twice = [sibling("v1"), { ...sibling("v1"), dot: "b-2" }];
    expect(verdict(put("v1", 0, 5), get([], 10, 15, { siblings: twice }))).toBe("false");
  });

  test("what a replica holds in the end counts as well", () => {
    const begin = [
      put("v1", 0, 5),
      get(["v1"], 10, 15, { context: "c1" }),
      put("v2", 20, 25, { sent: "c1" }),
    ];
    const replicas = held([sibling("v1"), sibling("v2")]);
    expect(falseSiblings({ operations: begin, replicas }).verdict).toBe("false");
  });
});

test("one-dot: a dot that names two versions", () => {
  const reused = [{ ...sibling("v2"), dot: sibling("v1").dot }];
  const ops = [put("v1", 0, 5), put("v2", 10, 15), get(["v1"], 20, 25)];
  expect(oneDot({ operations: ops, replicas: [] }).verdict).toBe("true");
  const operations = [...ops, get([], 30, 35, { siblings: reused })];
  expect(oneDot({ operations, replicas: [] }).verdict).toBe("false");
});

test("sibling-bound: N times siblingsMax, and no more", () => {
  const shown = (count: number): Operation =>
    get(
      Array.from({ length: count }, (_, i) => `v${i}`),
      0,
      5,
      { siblingsMax: 2 },
    );
  expect(siblingBound({ operations: [shown(6)], replicas: [] }).verdict).toBe("true");
  expect(siblingBound({ operations: [shown(7)], replicas: [] }).verdict).toBe("false");
});

test("what nobody wrote, or what was refused, is found among siblings", () => {
  const refused = put("v2", 0, 5, { outcome: "not-applied" });
  const ops = [put("v1", 0, 5), refused, get(["v1", "v2", "v3"], 10, 15)];
  const findings = checkAll(
    { operations: ops, replicas: held([sibling("v1")]) },
    SIBLINGS_CHECKERS,
  );
  expect(passed(findings)).toBe(false);
  const objecting = findings.filter(({ verdict }) => verdict === "false");
  expect(objecting.map(({ checker }) => checker)).toEqual(
    expect.arrayContaining(["unwritten", "outcome-honesty"]),
  );
});
