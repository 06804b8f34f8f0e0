import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { NodeId } from "../../../../src/core/ids.ts";
import { WriteQuorum } from "../../../../src/core/quorum/write-quorum.ts";
import { forAll } from "../support/for-all.ts";
import { answerOf, isMonotone, naiveVerdict, prefixes, roundOf } from "../support/rounds.ts";

const script = roundOf(answerOf(fc.constant("applied" as const)));

describe("WriteQuorum", () => {
  test("agrees with a recount of the whole list, and never takes a verdict back", () => {
    forAll(
      [script],
      (round) => {
        const quorum = new WriteQuorum(round);
        const verdicts = prefixes(round.answers).map((soFar) => {
          const last = soFar.at(-1);
          if (last !== undefined) quorum.add(...last);
          expect(quorum.verdict()).toBe(naiveVerdict(round, soFar));
          expect(quorum.acked).toBe(soFar.filter(([, answer]) => answer.kind === "ok").length);
          return quorum.verdict();
        });
        expect(isMonotone(verdicts)).toBe(true);
      },
      2_000,
    );
  });

  const mostlyRefused = roundOf(
    fc.oneof(
      { weight: 6, arbitrary: fc.constant({ kind: "refused", reason: "not-sent" } as const) },
      { weight: 1, arbitrary: answerOf(fc.constant("applied" as const)) },
    ),
  );

  test("'not-applied' only when every replica that was sent the write refused it", () => {
    let proven = 0;
    forAll(
      [mostlyRefused, fc.nat({ max: 5 })],
      (round, unanswered) => {
        const quorum = new WriteQuorum(round);
        const sent = Math.min(round.replicas.length, round.answers.length + unanswered);
        for (let i = 0; i < sent; i++) quorum.send();
        for (const answer of round.answers) quorum.add(...answer);
        const refused =
          round.answers.length === sent &&
          round.answers.every(([, { kind }]) => kind === "refused");
        expect(quorum.failedOutcome()).toBe(refused ? "not-applied" : "unknown");
        if (refused) proven += 1;
      },
      2_000,
    );
    expect(proven).toBeGreaterThan(50);
  });

  test("out of reach, it waits as long as the answers that are due may prove that nothing was applied", () => {
    forAll(
      [mostlyRefused],
      (round) => {
        const quorum = new WriteQuorum(round);
        for (const _ of round.replicas) quorum.send();
        for (const soFar of prefixes(round.answers)) {
          const last = soFar.at(-1);
          if (last !== undefined) quorum.add(...last);
          const counted = naiveVerdict(round, soFar);
          const open =
            soFar.length < round.replicas.length &&
            soFar.every(([, { kind }]) => kind === "refused");
          expect(quorum.verdict()).toBe(counted === "unreachable" && open ? "pending" : counted);
          expect(quorum.wantsMore()).toBe(counted !== "unreachable");
        }
      },
      1_000,
    );
  });

  test("sent on while W is in reach, it never takes a verdict back and proves only what is true", () => {
    const steps = fc.array(fc.boolean(), { minLength: 20, maxLength: 20 });
    forAll(
      [mostlyRefused, steps],
      (round, sendsNext) => {
        const quorum = new WriteQuorum(round);
        const answers = new Map(round.answers);
        const unsent = [...round.replicas];
        const due: NodeId[] = [];
        const said: string[] = [];
        const verdicts = sendsNext.map((sends) => {
          const next = sends && quorum.wantsMore() ? unsent.shift() : undefined;
          if (next !== undefined) {
            quorum.send();
            due.push(next);
          } else {
            const from = due.findIndex((node) => answers.has(node));
            for (const node of from < 0 ? [] : due.splice(from, 1)) {
              const answer =
                answers.get(node) ?? ({ kind: "unknown", reason: "deadline" } as const);
              quorum.add(node, answer);
              said.push(answer.kind);
            }
          }
          const refusedAll = due.length === 0 && said.every((kind) => kind === "refused");
          expect(quorum.failedOutcome()).toBe(refusedAll ? "not-applied" : "unknown");
          return quorum.verdict();
        });
        expect(isMonotone(verdicts)).toBe(true);
      },
      1_000,
    );
  });
});
