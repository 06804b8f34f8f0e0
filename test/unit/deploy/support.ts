import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { METRICS } from "../../../src/ports/telemetry.ts";

export const ROOT = join(import.meta.dirname, "..", "..", "..");
export const RULES = join(ROOT, "deploy", "prometheus", "rules");
export const RUNBOOKS = join(ROOT, "docs", "runbooks");

export interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export function read(...path: readonly string[]): string {
  return readFileSync(join(ROOT, ...path), "utf8");
}

export function rulesOf(file: "alerts.yml" | "recording.yml"): readonly Rule[] {
  const { groups } = parse(readFileSync(join(RULES, file), "utf8")) as {
    readonly groups: readonly { readonly rules: readonly Rule[] }[];
  };
  return groups.flatMap(({ rules }) => rules);
}

export const ALERTS = rulesOf("alerts.yml");
export const ALERT_NAMES = ALERTS.map(({ alert = "" }) => alert);
export const RUNBOOK_PAGES = readdirSync(RUNBOOKS)
  .filter((file) => file !== "README.md")
  .map((file) => file.replace(/\.md$/, ""));

const RECORDED = new Set(rulesOf("recording.yml").map(({ record = "" }) => record));
const SERIES = new Set(
  Object.values(METRICS).flatMap(({ kind, name }) =>
    kind === "histogram" ? ["_bucket", "_sum", "_count"].map((end) => name + end) : [name],
  ),
);

/** What a text says of kv_ series that no node has and no rule records. */
export function unknownSeries(text: string): readonly string[] {
  const named = text.match(/\b(?:\w+:)?kv_\w+(?::\w+)?/g) ?? [];
  return named.filter((name) => {
    // A search by the beginning of names.
    if (name.endsWith("_")) return ![...SERIES].some((series) => series.startsWith(name));
    return !SERIES.has(name) && !RECORDED.has(name);
  });
}

/** @returns what promtool printed and how it ended. */
export function promtool(...args: readonly string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync("promtool", args, { encoding: "utf8" });
  return { status, output: stdout + stderr };
}
