import type { EndpointReport, Health } from "./examine.ts";

/** `-o jsonl`: a line an endpoint, a line a problem, then the verdict. `kind` tells which it is. */
export function statusLines(
  reports: readonly EndpointReport[],
  { verdict, summary, problems }: Health,
): readonly object[] {
  return [
    ...reports.map((report) => ({ kind: "endpoint", ...report })),
    ...problems.map((problem) => ({ kind: "problem", ...problem })),
    { kind: "verdict", verdict, summary },
  ];
}
