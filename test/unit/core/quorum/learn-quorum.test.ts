import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AssertionError } from "../../../../src/core/assert.ts";
import type { Answer } from "../../../../src/core/answer.ts";
import type { Stamp } from "../../../../src/core/hlc.ts";
import type { LearnAnswer } from "../../../../src/core/messages/answer.ts";
import { LearnQuorum } from "../../../../src/core/quorum/learn-quorum.ts";
import type { Verdict } from "../../../../src/core/quorum/tally.ts";
import { nodeIds } from "../support/arbitraries.ts";
import { forAll } from "../support/for-all.ts";
import { answerOf, isMonotone, naiveVerdict, prefixes, roundOf } from "../support/rounds.ts";
import type { RoundScript } from "../support/rounds.ts";

interface LearnScript extends RoundScript<LearnAnswer> {
  readonly least: number;
  /** After how many answers the round is hurried; beyond the last one: never. */
  readonly hurryAfter: number;
}

const stamp = fc.nat(9).map((n) => n as Stamp);
const known = fc.record({ stamp, contentHash: fc.nat(2) });
const learned: fc.Arbitrary<LearnAnswer> = fc.record({
  newest: stamp,
  known: fc.option(known, { nil: undefined }),
});
const newestIs = (newest: number): Answer<LearnAnswer> => ({
  kind: "ok",
  value: { newest: newest as Stamp, known: undefined },
});
const script: fc.Arbitrary<LearnScript> = roundOf(answerOf(learned)).chain((round) =>
  fc.record({
    replicas: fc.constant(round.replicas),
    needed: fc.constant(round.needed),
    answers: fc.constant(round.answers),
    least: fc.integer({ min: 1, max: round.needed }),
    hurryAfter: fc.nat(round.replicas.length + 1),
  }),
);

/** L answers; or, once hurried or once L is out of reach, the least number. */
function naiveLearnVerdict(round: LearnScript, soFar: LearnScript["answers"]): Verdict {
  const strict = naiveVerdict(round, soFar);
  const hurried = soFar.length >= round.hurryAfter;
  if (strict === "met" || (strict === "pending" && !hurried)) return strict;
  return naiveVerdict({ replicas: round.replicas, needed: round.least }, soFar);
}

function play(
  round: LearnScript,
  check: (quorum: LearnQuorum, soFar: LearnScript["answers"]) => void,
): void {
  const quorum = new LearnQuorum(round);
  for (const soFar of prefixes(round.answers)) {
    const last = soFar.at(-1);
    if (last !== undefined) quorum.add(...last);
    if (soFar.length === round.hurryAfter) quorum.hurry();
    check(quorum, soFar);
  }
}

describe("LearnQuorum", () => {
  test("agrees with a recount of the whole list, hurried at any time or never", () => {
    forAll(
      [script],
      (round) => {
        play(round, (quorum, soFar) => {
          const told = soFar.flatMap(([node, answer]) =>
            answer.kind === "ok" ? [{ node, ...answer.value }] : [],
          );
          const stamps = told.map(({ newest }) => newest);
          expect(quorum.verdict()).toBe(naiveLearnVerdict(round, soFar));
          expect(quorum.newest).toBe(Math.max(0, ...stamps));
          expect(quorum.acked).toBe(stamps.length);
          expect(quorum.witnesses).toEqual(
            told.flatMap(({ node, known: write }) =>
              write === undefined ? [] : [{ node, write }],
            ),
          );
        });
      },
      1_500,
    );
  });

  test("never takes a verdict back", () => {
    forAll(
      [script],
      (round) => {
        const verdicts: Verdict[] = [];
        play(round, (quorum) => verdicts.push(quorum.verdict()));
        expect(isMonotone(verdicts)).toBe(true);
      },
      1_000,
    );
  });

  test("without a least number it is met by L answers only, however long it is hurried", () => {
    forAll([script], ({ replicas, needed, answers }) => {
      const quorum = new LearnQuorum({ replicas, needed });
      quorum.hurry();
      for (const answer of answers) quorum.add(...answer);
      expect(quorum.verdict()).toBe(naiveVerdict({ replicas, needed }, answers));
    });
  });

  test("N=3 L=3 least=1: one answer does once hurried, and not before", () => {
    const replicas = nodeIds(3);
    const quorum = new LearnQuorum({ replicas, needed: 3, least: 1 });
    for (const node of replicas.slice(0, 1)) quorum.add(node, newestIs(7));
    expect(quorum.verdict()).toBe("pending");
    quorum.hurry();
    expect(quorum.verdict()).toBe("met");
    expect(quorum.newest).toBe(7);
  });

  test("nobody holds the key: the newest stamp is 0, below every stamp that is minted", () => {
    const replicas = nodeIds(3);
    const quorum = new LearnQuorum({ replicas, needed: 2 });
    for (const node of replicas) quorum.add(node, newestIs(0));
    expect([quorum.verdict(), quorum.newest]).toEqual(["met", 0]);
  });

  test("a least number of 0, or above L, is a bug", () => {
    for (const least of [0, 3]) {
      const size = { replicas: nodeIds(3), needed: 2, least };
      expect(() => new LearnQuorum(size)).toThrow(AssertionError);
    }
  });
});
