import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hex, utf8 } from "../../../../src/core/bytes.ts";
import { parseBucketName, parseKey } from "../../../../src/core/ids.ts";
import { ReadQuorum } from "../../../../src/core/quorum/read-quorum.ts";
import { recordKey } from "../../../../src/core/record-key.ts";
import { lww } from "../../../../src/core/version/lww.ts";
import { encodeRecord } from "../../../../src/core/version/record.ts";
import type { KvRecord } from "../../../../src/core/version/record.ts";
import { collidingVersion } from "../support/arbitraries.ts";
import { forAll } from "../support/for-all.ts";
import { outcomeOf } from "../support/outcome.ts";
import { answerOf, isMonotone, naiveVerdict, prefixes, roundOf } from "../support/rounds.ts";
import type { RoundScript } from "../support/rounds.ts";

type Held = KvRecord | undefined;

const KEY = recordKey(parseBucketName("default"), parseKey(utf8("k")));
/** Each replica decodes its own copy: equality must not lean on identity. */
const held = fc.option(
  collidingVersion.map((of) => encodeRecord(KEY, of)),
  { nil: undefined, freq: 3 },
);
const [few] = fc.sample(fc.uniqueArray(collidingVersion, { minLength: 2, maxLength: 2 }), {
  numRuns: 1,
  seed: 1,
});
const fewHeld = fc
  .constantFrom(undefined, ...(few ?? []))
  .map((of) => (of === undefined ? undefined : encodeRecord(KEY, of)));
const script = roundOf(answerOf<Held>(fc.oneof(held, fewHeld, fewHeld)));

function recordsOf(round: RoundScript<Held>): Map<string, Held> {
  return new Map(
    round.answers.flatMap(([node, answer]) =>
      answer.kind === "ok" ? [[node, answer.value] as const] : [],
    ),
  );
}

function text(record: Held): string {
  return record === undefined ? "absent" : hex(record.bytes);
}

/** The record that no other beats: by definition what their merge is. */
function greatest(records: readonly Held[]): Held {
  return records.find(
    (it) =>
      it !== undefined &&
      records.every((other) => other === undefined || text(lww.merge(it, other)) === text(it)),
  );
}

describe("ReadQuorum", () => {
  test("agrees with a recount of the whole list, and never takes a verdict back", () => {
    forAll(
      [script],
      (round) => {
        const quorum = new ReadQuorum(round, lww);
        const verdicts = prefixes(round.answers).map((soFar) => {
          const last = soFar.at(-1);
          if (last !== undefined) quorum.add(...last);
          expect(quorum.verdict()).toBe(naiveVerdict(round, soFar));
          expect(quorum.acked).toBe(soFar.filter(([, answer]) => answer.kind === "ok").length);
          return quorum.verdict();
        });
        expect(isMonotone(verdicts)).toBe(true);
      },
      1_000,
    );
  });

  test("answers exactly when all that answered hold the same, else writes the merge back", () => {
    const seen = { answer: 0, "write-back": 0 };
    forAll(
      [script],
      (round) => {
        fc.pre(naiveVerdict(round, round.answers) === "met");
        const quorum = new ReadQuorum(round, lww);
        for (const answer of round.answers) quorum.add(...answer);
        const action = quorum.finalAction();
        seen[action.kind] += 1;
        const records = recordsOf(round);
        const merge = greatest([...records.values()]);
        const same = new Set([...records.values()].map(text)).size === 1;
        expect(action.kind).toBe(same ? "answer" : "write-back");
        expect(text(action.record)).toBe(text(merge));
        const holding = [...records].filter(([, record]) => text(record) === text(merge));
        const holders = action.kind === "write-back" ? [...action.holders] : [...records.keys()];
        expect(holders.toSorted()).toEqual(holding.map(([node]) => node).toSorted());
      },
      3_000,
    );
    expect(Math.min(seen.answer, seen["write-back"])).toBeGreaterThan(200);
  });

  test("all absent is an answer: absence needs the quorum as much as a value does", () => {
    const absent = roundOf(fc.constant({ kind: "ok", value: undefined } as const));
    forAll([absent], (round) => {
      const quorum = new ReadQuorum(round, lww);
      for (const answer of round.answers) quorum.add(...answer);
      expect(outcomeOf(() => quorum.finalAction())).toEqual(
        round.answers.length < round.needed
          ? { error: "AssertionError" }
          : { value: { kind: "answer", record: undefined } },
      );
    });
  });

  test("there is no action before the quorum is met", () => {
    forAll([script], (round) => {
      const quorum = new ReadQuorum(round, lww);
      for (const soFar of prefixes(round.answers)) {
        const last = soFar.at(-1);
        if (last !== undefined) quorum.add(...last);
        const acts = "value" in outcomeOf(() => quorum.finalAction());
        expect(acts).toBe(naiveVerdict(round, soFar) === "met");
      }
    });
  });
});
