import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hex, utf8 } from "../../../../src/core/bytes.ts";
import { parseBucketName, parseKey } from "../../../../src/core/ids.ts";
import type { Stamp } from "../../../../src/core/hlc.ts";
import type { NodeId } from "../../../../src/core/ids.ts";
import type { DigestAnswer, ReadAnswer } from "../../../../src/core/messages/answer.ts";
import { ReadQuorum } from "../../../../src/core/quorum/read-quorum.ts";
import { recordKey } from "../../../../src/core/record-key.ts";
import { lww } from "../../../../src/core/version/lww.ts";
import { digestOf } from "../../../../src/core/version/record.ts";
import type { KvRecord } from "../../../../src/core/version/record.ts";
import { collidingVersion, minted } from "../support/arbitraries.ts";
import { forAll } from "../support/for-all.ts";
import { outcomeOf } from "../support/outcome.ts";
import { answerOf, isMonotone, naiveVerdict, prefixes, roundOf } from "../support/rounds.ts";
import type { RoundScript } from "../support/rounds.ts";

type Held = KvRecord | undefined;

const KEY = recordKey(parseBucketName("default"), parseKey(utf8("k")));
/** Each replica decodes its own copy: equality must not lean on identity. */
const held = fc.option(
  collidingVersion.map((of) => minted(KEY, of)),
  { nil: undefined, freq: 3 },
);
const [few] = fc.sample(fc.uniqueArray(collidingVersion, { minLength: 2, maxLength: 2 }), {
  numRuns: 1,
  seed: 1,
});
const fewHeld = fc
  .constantFrom(undefined, ...(few ?? []))
  .map((of) => (of === undefined ? undefined : minted(KEY, of)));
/** An answer with the record itself, or with its digest only. */
const reply = fc
  .record({ record: fc.oneof(held, fewHeld, fewHeld), full: fc.boolean(), clock: fc.nat(9) })
  .map(({ record, full, clock }) => ({ record, full, clock: clock as Stamp }));
interface Reply {
  readonly record: Held;
  readonly full: boolean;
  readonly clock: Stamp;
}
const script = roundOf(answerOf<Reply>(reply));

function wire({ record, full, clock }: Reply): ReadAnswer | DigestAnswer {
  return full ? { record, clock } : { digest: digestOf(record), clock };
}

function give(quorum: ReadQuorum, [node, answer]: RoundScript<Reply>["answers"][number]): void {
  quorum.add(node, answer.kind === "ok" ? { kind: "ok", value: wire(answer.value) } : answer);
}

function repliesOf(round: RoundScript<Reply>): Map<NodeId, Reply> {
  return new Map(
    round.answers.flatMap(([node, answer]) =>
      answer.kind === "ok" ? [[node, answer.value] as const] : [],
    ),
  );
}

function text(record: Held): string {
  return record === undefined ? "absent" : hex(record.bytes);
}

function naiveMerge(records: readonly Held[]): Held {
  const held = records.filter((it) => it !== undefined);
  return held.reduce<Held>((all, next) => lww.merge(KEY, all, next), undefined);
}

describe("ReadQuorum", () => {
  test("agrees with a recount of the whole list, and never takes a verdict back", () => {
    forAll(
      [script],
      (round) => {
        const quorum = new ReadQuorum(KEY, round, lww);
        const verdicts = prefixes(round.answers).map((soFar) => {
          const last = soFar.at(-1);
          if (last !== undefined) give(quorum, last);
          expect(quorum.verdict()).toBe(naiveVerdict(round, soFar));
          expect(quorum.acked).toBe(soFar.filter(([, answer]) => answer.kind === "ok").length);
          return quorum.verdict();
        });
        expect(isMonotone(verdicts)).toBe(true);
      },
      1_000,
    );
  });

  test("answers exactly when all that answered hold the same, else fetches what it knows by digest only, else writes the merge back", () => {
    const seen = { answer: 0, fetch: 0, "write-back": 0 };
    forAll(
      [script],
      (round) => {
        fc.pre(naiveVerdict(round, round.answers) === "met");
        const quorum = new ReadQuorum(KEY, round, lww);
        for (const answer of round.answers) give(quorum, answer);
        const action = quorum.finalAction();
        seen[action.kind] += 1;
        const replies = repliesOf(round);
        expect(quorum.clock).toBe(Math.max(...[...replies.values()].map(({ clock }) => clock)));
        const full = new Set(
          [...replies.values()].filter((it) => it.full).map(({ record }) => text(record)),
        );
        const unknown = [...replies].filter(([, { record }]) => !full.has(text(record)));
        const fetched = action.kind === "fetch" ? action.from : [];
        expect(fetched).toEqual(unknown.map(([node]) => node));
        if (action.kind === "fetch") return;
        const records = [...replies.values()].map(({ record }) => record);
        const merge = naiveMerge(records);
        const same = new Set(records.map(text)).size === 1;
        expect(action.kind).toBe(same ? "answer" : "write-back");
        expect(text(action.record)).toBe(text(merge));
        const holding = [...replies].filter(([, { record }]) => text(record) === text(merge));
        const holders = action.kind === "write-back" ? [...action.holders] : [...replies.keys()];
        expect(holders.toSorted()).toEqual(holding.map(([node]) => node).toSorted());
      },
      3_000,
    );
    expect(Math.min(seen.answer, seen.fetch, seen["write-back"])).toBeGreaterThan(100);
  });

  test("a later round takes over who holds which record, and nobody known by digest only", () => {
    forAll([script], (round) => {
      const earlier = new ReadQuorum(KEY, round, lww);
      for (const answer of round.answers) give(earlier, answer);
      const later = new ReadQuorum(KEY, round, lww);
      const known = later.adopt(earlier);
      const replies = repliesOf(round);
      const full = new Set(
        [...replies.values()].filter((it) => it.full).map(({ record }) => text(record)),
      );
      const expected = [...replies].filter(([, { record }]) => full.has(text(record)));
      expect([...known]).toEqual(expected.map(([node]) => node));
      expect(later.acked).toBe(expected.length);
    });
  });

  test("all absent is an answer: absence needs the quorum as much as a value does", () => {
    const nothing: Reply = { record: undefined, full: true, clock: 1 as Stamp };
    const absent = roundOf(fc.constant({ kind: "ok", value: nothing } as const));
    forAll([absent], (round) => {
      const quorum = new ReadQuorum(KEY, round, lww);
      for (const answer of round.answers) give(quorum, answer);
      expect(outcomeOf(() => quorum.finalAction())).toEqual(
        round.answers.length < round.needed
          ? { error: "AssertionError" }
          : { value: { kind: "answer", record: undefined } },
      );
    });
  });

  test("there is no action before the quorum is met", () => {
    forAll([script], (round) => {
      const quorum = new ReadQuorum(KEY, round, lww);
      for (const soFar of prefixes(round.answers)) {
        const last = soFar.at(-1);
        if (last !== undefined) give(quorum, last);
        const acts = "value" in outcomeOf(() => quorum.finalAction());
        expect(acts).toBe(naiveVerdict(round, soFar) === "met");
      }
    });
  });
});
