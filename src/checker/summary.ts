import { passed } from "./check-all.ts";
import type { Finding } from "./history.ts";
import { quoted } from "./wording.ts";

const NAME_WIDTH = 23;
const VERDICT_WIDTH = 9;

/** A line for each checker, the evidence below it, and the result of all last. */
export function summary(findings: readonly Finding[]): string {
  const lines = findings.flatMap((finding) => [head(finding), ...evidence(finding)]);
  return [...lines, result(findings)].join("\n");
}

function head({ checker, verdict, examined, violations }: Finding): string {
  const counts = [`${examined} examined`];
  if (violations.length > 0) counts.push(`first ${violations.length} violations`);
  return `${checker.padEnd(NAME_WIDTH)}${verdict.padEnd(VERDICT_WIDTH)}${counts.join(", ")}`;
}

function evidence({ violations }: Finding): string[] {
  return violations.map(({ key, sentence }) => `  key ${quoted(key)}: ${sentence}`);
}

function result(findings: readonly Finding[]): string {
  if (passed(findings)) return "passed";
  const named = (verdict: Finding["verdict"]): string =>
    findings
      .filter((finding) => finding.verdict === verdict)
      .map(({ checker }) => checker)
      .join(", ");
  const [violated, undecided] = [named("false"), named("unknown")];
  const parts = ["not passed"];
  if (violated !== "") parts.push(`violated: ${violated}`);
  if (undecided !== "") parts.push(`unknown, which is no pass: ${undecided}`);
  return parts.join("; ");
}
