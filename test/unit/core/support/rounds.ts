import fc from "fast-check";
import { DOUBTS, REFUSALS } from "../../../../src/core/answer.ts";
import type { Answer } from "../../../../src/core/answer.ts";
import type { NodeId } from "../../../../src/core/ids.ts";
import type { Verdict } from "../../../../src/core/quorum/tally.ts";
import { nodeIds } from "./arbitraries.ts";

/** A round over a preference list: who answers what, in order. Some never answer. */
export interface RoundScript<T> {
  readonly replicas: readonly NodeId[];
  readonly needed: number;
  readonly answers: readonly (readonly [NodeId, Answer<T>])[];
}

export function answerOf<T>(value: fc.Arbitrary<T>): fc.Arbitrary<Answer<T>> {
  return fc.oneof(
    { weight: 3, arbitrary: value.map((it): Answer<T> => ({ kind: "ok", value: it })) },
    {
      weight: 2,
      arbitrary: fc
        .constantFrom(...REFUSALS)
        .map((reason): Answer<T> => ({ kind: "refused", reason })),
    },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom(...DOUBTS)
        .map((reason): Answer<T> => ({ kind: "unknown", reason })),
    },
  );
}

export function roundOf<T>(
  answer: fc.Arbitrary<Answer<T>>,
  nMax = 7,
): fc.Arbitrary<RoundScript<T>> {
  return fc.integer({ min: 1, max: nMax }).chain((n) => {
    const replicas = nodeIds(n);
    return fc
      .tuple(
        fc.integer({ min: 1, max: n }),
        fc.shuffledSubarray([...replicas]),
        fc.array(answer, { minLength: n, maxLength: n }),
      )
      .map(([needed, order, all]) => ({
        replicas,
        needed,
        answers: order.flatMap((node, i) => all.slice(i, i + 1).map((it) => [node, it] as const)),
      }));
  });
}

/** Recounts everything: what is certain, and what may still come. */
export function naiveVerdict(
  { replicas, needed }: { replicas: readonly NodeId[]; needed: number },
  answers: readonly (readonly [NodeId, Answer<unknown>])[],
): Verdict {
  const said = new Map(answers);
  const yes = replicas.filter((node) => said.get(node)?.kind === "ok").length;
  const silent = replicas.filter((node) => !said.has(node)).length;
  if (yes >= needed) return "met";
  return yes + silent >= needed ? "pending" : "unreachable";
}

/** The prefixes of a list, from the empty one to the whole. */
export function prefixes<T>(list: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: list.length + 1 }, (_, length) => list.slice(0, length));
}

/** True when no verdict is ever taken back. */
export function isMonotone(verdicts: readonly Verdict[]): boolean {
  const first = verdicts.findIndex((verdict) => verdict !== "pending");
  return first < 0 || verdicts.slice(first).every((verdict) => verdict === verdicts[first]);
}
