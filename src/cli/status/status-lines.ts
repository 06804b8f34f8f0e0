import type { EndpointReport, Health } from "./examine.ts";

/** `-o jsonl`: a line an endpoint, a problem, a bucket, then the verdict. `kind` tells which it is. */
export function statusLines(
  reports: readonly EndpointReport[],
  { verdict, summary, problems, effects }: Health,
): readonly object[] {
  return [
    ...reports.map((report) => ({ kind: "endpoint", ...report })),
    ...problems.map((problem) => ({ kind: "problem", ...problem })),
    ...effects.map((effect) => ({ kind: "bucket", ...effect })),
    { kind: "verdict", verdict, summary },
  ];
}
