import { describe, expect, test } from "vitest";
import type { Answer } from "../../../../src/core/answer.ts";
import { NOTHING_SEEN } from "../../../../src/core/causal/causal-context.ts";
import { KvError } from "../../../../src/core/errors.ts";
import type { Stamp } from "../../../../src/core/hlc.ts";
import type { MintAnswer } from "../../../../src/core/messages/mint.ts";
import { MintQuorum } from "../../../../src/core/quorum/mint-quorum.ts";
import { nodeIds } from "../support/arbitraries.ts";

const REFUSED: Answer<MintAnswer> = { kind: "refused", reason: "not-sent" };
const SILENT = undefined;
const WRITTEN: Answer<MintAnswer> = {
  kind: "ok",
  value: { kind: "written", stamp: 5 as Stamp, acked: 2, context: NOTHING_SEEN },
};

function failed(error: KvError): Answer<MintAnswer> {
  return { kind: "ok", value: { kind: "failed", error } };
}

const UNAVAILABLE = failed(new KvError("write-unavailable", "too few"));
const TOO_MANY = failed(new KvError("too-many-siblings", "32"));
const UNKNOWN = failed(new KvError("write-unknown", "in doubt"));

/** Three replicas; those before the last were asked in vain or are silent. */
function quorumOf(answers: readonly (Answer<MintAnswer> | undefined)[]): MintQuorum {
  const quorum = new MintQuorum({ replicas: 3 });
  const ids = nodeIds(3);
  for (const [i, answer] of answers.entries()) {
    quorum.send();
    const node = ids[i];
    if (answer !== undefined && node !== undefined) quorum.add(node, quorum.judge(answer));
  }
  return quorum;
}

describe("of three replicas that are to mint one write", () => {
  test.each([
    ["one that wrote it ends it", [REFUSED, WRITTEN], "met"],
    ["one that refuses for itself leaves it to the others", [REFUSED], "pending"],
    ["one without a quorum leaves it to the others", [UNAVAILABLE], "pending"],
    ["a refusal that any would repeat ends it", [TOO_MANY], "met"],
    ["one in doubt ends it: another would add a second dot", [UNKNOWN], "met"],
    ["none is left when all refused", [REFUSED, UNAVAILABLE, REFUSED], "unreachable"],
  ] as const)("%s", (_, answers, verdict) => {
    expect(quorumOf(answers).verdict()).toBe(verdict);
  });

  test.each([
    ["all refused", [REFUSED, UNAVAILABLE, REFUSED], "not-applied"],
    ["one refused and none was asked besides", [TOO_MANY], "not-applied"],
    ["one refused while another is silent", [SILENT, TOO_MANY], "unknown"],
    ["all are silent", [SILENT, SILENT], "unknown"],
    ["one is in doubt", [REFUSED, UNKNOWN], "unknown"],
    ["none was asked", [], "not-applied"],
  ] as const)("the outcome when %s", (_, answers, outcome) => {
    expect(quorumOf(answers).failedOutcome()).toBe(outcome);
  });

  test("the first refusal is remembered for the client", () => {
    expect(quorumOf([REFUSED, UNAVAILABLE]).refusal?.message).toBe("too few");
  });
});
