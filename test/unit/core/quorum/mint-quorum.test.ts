import { describe, expect, test } from "vitest";
import type { Answer } from "../../../../src/core/answer.ts";
import { NOTHING_SEEN } from "../../../../src/core/causal/causal-context.ts";
import { KvError } from "../../../../src/core/errors.ts";
import type { Stamp } from "../../../../src/core/hlc.ts";
import type { MintAnswer } from "../../../../src/core/messages/mint.ts";
import { MintQuorum } from "../../../../src/core/quorum/mint-quorum.ts";
import { nodeIds } from "../support/arbitraries.ts";

const REFUSED: Answer<MintAnswer> = { kind: "refused", reason: "not-sent" };
const LOST: Answer<MintAnswer> = { kind: "unknown", reason: "connection-lost" };
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

/** Of a replica that was asked and gave this answer, or is silent. */
function quorumOf(answer: Answer<MintAnswer> | undefined): MintQuorum {
  const quorum = new MintQuorum();
  const [node] = nodeIds(1);
  quorum.send();
  if (answer !== undefined && node !== undefined) quorum.add(node, quorum.judge(answer));
  return quorum;
}

describe("of a replica that is to mint a write", () => {
  test.each([
    ["that wrote it, the answer ends it", WRITTEN, "met"],
    ["that refuses for itself, another may do it", REFUSED, "unreachable"],
    ["that found no quorum, another may do it", UNAVAILABLE, "unreachable"],
    ["that refuses what any would refuse, the answer ends it", TOO_MANY, "met"],
    ["that is in doubt, the answer ends it: another would add a second dot", UNKNOWN, "met"],
    ["whose answer was lost, none comes any more", LOST, "unreachable"],
    ["that is silent, an answer may come", SILENT, "pending"],
  ] as const)("%s", (_, answer, verdict) => {
    expect(quorumOf(answer).verdict()).toBe(verdict);
  });

  test.each([
    ["it refused", REFUSED, "not-applied"],
    ["it found no quorum", UNAVAILABLE, "not-applied"],
    ["its answer was lost", LOST, "unknown"],
    ["it is silent", SILENT, "unknown"],
  ] as const)("the outcome when %s", (_, answer, outcome) => {
    expect(quorumOf(answer).failedOutcome()).toBe(outcome);
  });

  test("a replica that was not asked applied nothing", () => {
    expect(new MintQuorum().failedOutcome()).toBe("not-applied");
  });

  test("its refusal is remembered for the client", () => {
    expect(quorumOf(UNAVAILABLE).refusal?.message).toBe("too few");
    expect(quorumOf(REFUSED).refusal).toBeUndefined();
  });
});
