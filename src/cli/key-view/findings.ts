import type { ExplainedReplica, KeyExplanation } from "../../client/key-explanation.ts";
import { shellWord } from "../quoting.ts";
import type { Problem } from "../problems.ts";

/** What keeps the replicas of a key from being alike, and what to do about it. Pure. */
export function findings(
  { preferenceList, replicas }: KeyExplanation,
  repair: string,
): readonly Problem[] {
  const silent = replicas.flatMap(({ node, answer, reason }) => {
    if (answer === "ok") return [];
    const detail = preferenceList.find((placed) => placed.node === node)?.reason ?? null;
    return [failureOf(node, { reason: reason ?? "unknown", detail })];
  });
  const behind = replicas.filter(({ answer, inSync }) => answer === "ok" && !inSync);
  if (behind.length === 0) return silent;
  return [
    ...silent,
    {
      what: behind.map(differenceOf).join(", "),
      advice: `A read that meets it writes the newest back. To do so now: ${repair}`,
    },
  ];
}

/** The command that would repair the key. */
export function repairCommand(of: {
  readonly key: string;
  readonly keyEncoding: string;
  readonly bucket: string;
}): string {
  const bucket = of.bucket === "default" ? [] : ["-b", of.bucket];
  const encoding = of.keyEncoding === "utf8" ? [] : ["--key-encoding", of.keyEncoding];
  const key = of.key.startsWith("-") ? ["--", of.key] : [of.key];
  return ["kv key repair", ...[...bucket, ...encoding, ...key].map(shellWord)].join(" ");
}

const DIFFERENCES: ReadonlyMap<string, string> = new Map([
  ["absent", "lacks the key"],
  ["behind", "is behind"],
  ["concurrent", "has a part of what is known"],
  ["equal", "remembers fewer of the recent writes"],
]);

function differenceOf({ node, relation }: ExplainedReplica): string {
  return `${node} ${DIFFERENCES.get(relation ?? "") ?? "differs"}`;
}

/** Of the reasons for which operators can do something. */
const FAILURES: ReadonlyMap<string, (node: string) => Problem> = new Map([
  [
    "not-sent",
    (node) => ({
      what: `${node} was not asked: there is no connection to it`,
      advice: `Start ${node}, or look at the network; \`kv status\` tells who reaches whom.`,
    }),
  ],
  [
    "deadline",
    (node) => ({
      what: `${node} did not answer in time`,
      advice: `Look at the load and the disk of ${node}, or give it longer with --timeout.`,
    }),
  ],
  [
    "damaged-record",
    (node) => ({
      what: `what ${node} had stored for this key is damaged`,
      advice: `${node} repairs it by itself from the other replicas, once enough of them answer.`,
    }),
  ],
  [
    "resynchronising",
    (node) => ({
      what: `${node} may lack what it acknowledged, so it answers nothing`,
      advice: `It comes back when it has copied its partitions; \`kv status\` tells what it awaits.`,
    }),
  ],
  [
    "epoch-mismatch",
    (node) => ({
      what: `${node} has another layout`,
      advice: "Members with different peer lists refuse each other: give all the same --peers.",
    }),
  ],
]);

function failureOf(
  node: string,
  { reason, detail }: { readonly reason: string; readonly detail: string | null },
): Problem {
  const known = FAILURES.get(reason)?.(node) ?? {
    what: `${node} gave no answer: ${reason}`,
    advice: "If this lasts, look at `kv status` and at the log of that node.",
  };
  return detail === null ? known : { ...known, what: `${known.what} (${detail})` };
}
