import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AssertionError } from "../../../../src/core/assert.ts";
import { Tally } from "../../../../src/core/quorum/tally.ts";
import { nodeIds } from "../support/arbitraries.ts";
import { forAll } from "../support/for-all.ts";
import { answerOf, isMonotone, naiveVerdict, prefixes, roundOf } from "../support/rounds.ts";

const script = roundOf(answerOf(fc.constant("applied")));

describe("Tally", () => {
  test("counts like a recount of the whole list, after each answer", () => {
    forAll(
      [script],
      (round) => {
        const tally = new Tally(round);
        for (const soFar of prefixes(round.answers)) {
          const last = soFar.at(-1);
          if (last !== undefined) tally.add(last[0], last[1].kind);
          const kinds = soFar.map(([, answer]) => answer.kind);
          expect(tally.verdict()).toBe(naiveVerdict(round, soFar));
          expect(tally.yes).toBe(kinds.filter((kind) => kind === "ok").length);
          expect(tally.outstanding).toBe(round.replicas.length - soFar.length);
          expect(tally.answered).toBe(soFar.length);
          expect(tally.refused).toBe(kinds.filter((kind) => kind === "refused").length);
        }
        expect(tally.needed).toBe(round.needed);
      },
      2_000,
    );
  });

  test("never takes a verdict back", () => {
    forAll(
      [script],
      (round) => {
        const tally = new Tally(round);
        const verdicts = round.answers.map(([node, answer]) => {
          tally.add(node, answer.kind);
          return tally.verdict();
        });
        expect(isMonotone([new Tally(round).verdict(), ...verdicts])).toBe(true);
      },
      1_000,
    );
  });

  test("has a verdict once all have answered", () => {
    const complete = script.filter(({ replicas, answers }) => answers.length === replicas.length);
    forAll([complete], (round) => {
      const tally = new Tally(round);
      for (const [node, answer] of round.answers) tally.add(node, answer.kind);
      expect(tally.verdict()).not.toBe("pending");
    });
  });

  test("N=3 W=2: two refusals make it unreachable, one leaves it pending", () => {
    const tally = new Tally({ replicas: nodeIds(3), needed: 2 });
    const [n1, n2] = nodeIds(3);
    if (n1 === undefined || n2 === undefined) throw new Error("three nodes");
    tally.add(n1, "refused");
    expect(tally.verdict()).toBe("pending");
    tally.add(n2, "unknown");
    expect(tally.verdict()).toBe("unreachable");
  });

  test("an answer from outside the preference list, or a second one, is a bug", () => {
    const [n1, n2] = nodeIds(2);
    if (n1 === undefined || n2 === undefined) throw new Error("two nodes");
    const tally = new Tally({ replicas: [n1], needed: 1 });
    expect(() => tally.add(n2, "ok")).toThrow(AssertionError);
    tally.add(n1, "refused");
    expect(() => tally.add(n1, "ok")).toThrow(AssertionError);
    expect(tally.yes).toBe(0);
  });

  test("a quorum of 0, or of more than N, is a bug", () => {
    for (const needed of [0, -1, 4, Number.NaN]) {
      expect(() => new Tally({ replicas: nodeIds(3), needed })).toThrow(AssertionError);
    }
  });
});
