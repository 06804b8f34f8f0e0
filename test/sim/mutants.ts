import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import type { Mutant } from "../support/mutants/table.mjs";

/** Where the mutants live, seen from the built simulator: sources, because they are not compiled. */
const SUPPORT = join(import.meta.dirname, "../../../test/support/mutants");
const MAIN = join(import.meta.dirname, "main.js");
/** The seeds of a budget are always the same ones, so a mutant is caught or not, never by chance. */
const FROM = 1_000_000;

/** Runs one mutant, or all; prints a line each. @returns whether every one was caught in its budget. */
export async function huntMutants(only: string | undefined): Promise<boolean> {
  const table = (await import(pathToFileURL(join(SUPPORT, "table.mjs")).href)) as {
    readonly MUTANTS: ReadonlyMap<string, Mutant>;
  };
  const names = only === undefined ? [...table.MUTANTS.keys()] : [only];
  let survivors = 0;
  for (const name of names) {
    const mutant = table.MUTANTS.get(name);
    if (mutant === undefined) throw new Error(`there is no mutant '${name}'`);
    const { caught, output } = hunt(name, mutant);
    const seeds = /^(\d+) of \d+ seeds/m.exec(output)?.[1] ?? "?";
    const within = mutant.seeds === 0 ? "directed" : `${seeds} of ${mutant.seeds} seeds`;
    console.log(
      `${caught ? "caught  " : "SURVIVED"} ${name.padEnd(32)} ${within.padStart(18)}  ${mutant.breaks}`,
    );
    if (!caught) {
      survivors += 1;
      console.log(output);
    }
  }
  return survivors === 0;
}

function hunt(
  name: string,
  { seeds, checkers, mode = "lww" }: Mutant,
): { caught: boolean; output: string } {
  const register = pathToFileURL(join(SUPPORT, "register.mjs")).href;
  const how =
    seeds === 0
      ? ["--directed", "--catching", name]
      : ["--from", String(FROM), "--seeds", String(seeds), "--mode", mode];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--import", register, MAIN, "--caught-by", checkers.join(","), ...how],
    { env: { ...process.env, KV_MUTANT: name }, encoding: "utf8" },
  );
  return { caught: status === 0, output: `${stdout}${stderr}` };
}
