import type { Finding } from "../../src/checker/history.ts";
import type { Run } from "./simulate.ts";

/** How a run ended: only `clean` is a pass. */
export type RunVerdict =
  | { readonly kind: "clean"; readonly run: Run }
  /** A checker found a violation, or could not decide. */
  | { readonly kind: "violation"; readonly run: Run; readonly findings: readonly Finding[] }
  /** The run itself broke: an assertion, a cluster that did not come back, a bug. */
  | { readonly kind: "broken"; readonly error: unknown };

export async function verdictOf(simulation: () => Promise<Run>): Promise<RunVerdict> {
  let run: Run;
  try {
    run = await simulation();
  } catch (error) {
    return { kind: "broken", error };
  }
  const findings = run.findings.filter(({ verdict }) => verdict !== "true");
  return findings.length === 0 ? { kind: "clean", run } : { kind: "violation", run, findings };
}

/** The checkers that objected. */
export function checkersOf(verdict: RunVerdict): readonly string[] {
  return verdict.kind === "violation" ? verdict.findings.map(({ checker }) => checker) : [];
}

/** Two runs with one signature failed in the same way, as far as can be told without people. */
export function signatureOf(verdict: RunVerdict): string {
  switch (verdict.kind) {
    case "clean":
      return "clean";
    case "broken":
      return `broken: ${verdict.error instanceof Error ? verdict.error.message : String(verdict.error)}`;
    case "violation":
      return checkersOf(verdict).join();
  }
}

/** What went wrong, for people. */
export function explain(verdict: RunVerdict): string {
  switch (verdict.kind) {
    case "clean":
      return "clean";
    case "broken":
      return verdict.error instanceof Error
        ? (verdict.error.stack ?? verdict.error.message)
        : String(verdict.error);
    case "violation":
      return explainFindings(verdict.findings);
  }
}

export function explainFindings(findings: readonly Finding[]): string {
  return findings
    .map(
      ({ checker, verdict: said, violations }) =>
        `${checker}: ${said}\n${violations
          .slice(0, 3)
          .map(({ key, sentence }) => `  ${key}: ${sentence}`)
          .join("\n")}`,
    )
    .join("\n");
}
