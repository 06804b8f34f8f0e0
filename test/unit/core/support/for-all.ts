import { execFileSync } from "node:child_process";
import { relative } from "node:path";
import process from "node:process";
import fc from "fast-check";
import { expect } from "vitest";

const RUNS = 200;

/**
 * Checks that a statement holds for random inputs. A failure prints the smallest counterexample, the
 * commit, and the command that replays it.
 */
export function forAll<T extends unknown[]>(
  inputs: { [K in keyof T]: fc.Arbitrary<T[K]> },
  check: (...values: T) => unknown,
  runs = RUNS,
): void {
  const { FC_SEED: seed } = process.env;
  const property = fc.property(fc.tuple<T>(...inputs), (values) => {
    check(...values);
  });
  const details = fc.check(property, {
    numRuns: runs,
    ...(seed === undefined ? {} : { seed: Number(seed) }),
  });
  if (!details.failed) return;
  const report = [
    fc.defaultReportMessage(details),
    `At commit ${commit()}; replay with:`,
    `  FC_SEED=${details.seed} ${command()}`,
  ];
  throw new Error(report.join("\n"), { cause: details.errorInstance });
}

function command(): string {
  const { testPath = "", currentTestName = "" } = expect.getState();
  const name = currentTestName.split(" > ").at(-1) ?? "";
  const pattern = name.replace(/[^\w -]/g, ".");
  return `npx vitest run --project unit ${relative(process.cwd(), testPath)} -t '${pattern}'`;
}

function commit(): string {
  try {
    return execFileSync("git", ["describe", "--always", "--dirty"], { encoding: "utf8" }).trim();
  } catch {
    return "unknown";
  }
}
