import type { ExplainedRead, KeyExplanation } from "../../client/key-explanation.ts";
import type { VersionLabels } from "./version-labels.ts";

export const READ_HEAD = ["READ", "RETURNS", "WHEN THESE ANSWER", ""];

/** What reads would return now: one row for each R and result. */
export function readRows(
  { n, reads, replicas }: KeyExplanation,
  labels: VersionLabels,
): readonly (readonly string[])[] {
  const allAnswer = replicas.every(({ answer }) => answer === "ok");
  return (reads ?? []).flatMap(({ r, results }) =>
    results.map((result, index) => [
      index === 0 ? `R=${r}` : "",
      returnsText(result, labels),
      allAnswer && results.length === 1 ? `${r === n ? "all" : "any"} ${r}` : fromText(result),
      result.repairs ? "writes back" : "",
    ]),
  );
}

function returnsText({ outcome, versions }: ExplainedRead, labels: VersionLabels): string {
  const named = labels.of(versions);
  switch (outcome) {
    case "found":
      return named;
    case "siblings":
      return `300, all of ${named}`;
    case "deleted":
    case "expired":
      return `404, ${named} is ${outcome === "deleted" ? "a delete" : "expired"}`;
    case "absent":
      return "404, nothing is known";
    default:
      return `error ${outcome}`;
  }
}

function fromText({ from }: ExplainedRead): string {
  return from.length === 0 ? "too few do" : from.map((set) => set.join("+")).join(", ");
}
