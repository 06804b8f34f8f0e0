/**
 * `npm run sim -- …`: whole clusters on virtual time.
 *
 *     --seeds 1000 [--from N]     a campaign; fresh seeds unless told where to begin
 *                                 or all with one mode: --mode lww | siblings
 *     --seed 42 [--trace]         one seed, with every event if asked for
 *     --config FILE.json          one scenario, as a failure printed it
 *     --mutant NAME | --mutants   builds that are broken on purpose, each within its budget of seeds
 *     --directed                  the scripted schedules
 *
 * Exits with 1 on any finding, on a state of interest that never came up, on a mutant that survives.
 */
import { execFileSync } from "node:child_process";
import { appendFileSync, readFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import type { Mode } from "../../src/core/bucket.ts";
import { SeededRng } from "../../src/testing/seeded-rng.ts";
import { campaign } from "./campaign.ts";
import type { Failure } from "./campaign.ts";
import { huntMutants } from "./mutants.ts";
import { SCHEDULES } from "./directed/schedules.ts";
import { statesText } from "./required-states.ts";
import { drawScenario } from "./scenario.ts";
import type { Scenario } from "./scenario.ts";
import { shrink } from "./shrink.ts";
import { simulate } from "./simulate.ts";
import { armTripwires } from "./tripwire.ts";
import { checkersOf, explain, explainFindings, verdictOf } from "./verdict.ts";

const FAILURES_SHOWN = 3;

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "100" },
    from: { type: "string" },
    seed: { type: "string" },
    mode: { type: "string" },
    config: { type: "string" },
    trace: { type: "boolean", default: false },
    mutant: { type: "string" },
    mutants: { type: "boolean", default: false },
    directed: { type: "boolean", default: false },
    /** Of the schedules, those that must catch this mutant. */
    catching: { type: "string" },
    /** Shrunk failures are appended here, one scenario a line. */
    keep: { type: "string" },
    /** Within a mutant: succeed as soon as one of these checkers, separated by commas, objects. */
    "caught-by": { type: "string" },
  },
});

function mode(): Mode | undefined {
  if (values.mode === undefined) return undefined;
  if (values.mode === "lww" || values.mode === "siblings") return values.mode;
  throw new Error(`--mode is lww or siblings, not '${values.mode}'`);
}

function commitText(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "unknown";
  }
}

async function one(scenario: Scenario): Promise<boolean> {
  const write = (line: string): void => console.log(line);
  const verdict = await verdictOf(() => simulate(scenario, values.trace ? { write } : {}));
  console.log(JSON.stringify(scenario));
  if (verdict.kind !== "broken") {
    const { history, events, virtualMs, traceHash, sometimes } = verdict.run;
    console.log(
      `${history.operations.length} operations, ${events} events, ${(virtualMs / 1000).toFixed(1)} virtual s, trace ${traceHash}`,
    );
    console.log(statesText(sometimes));
  }
  console.log(explain(verdict));
  return verdict.kind === "clean";
}

async function report({ scenario, verdict }: Failure, commit: string): Promise<void> {
  console.log(`\nFAILED: seed ${scenario.seed} at commit ${commit}; replay it with`);
  const ofMode = values.mode === undefined ? "" : ` --mode ${values.mode}`;
  console.log(`  npm run sim -- --seed ${scenario.seed}${ofMode} --trace`);
  console.log(explain(verdict));
  const small = JSON.stringify(await shrink(scenario, verdict));
  console.log(`shrunk, for --config: ${small}`);
  if (values.keep !== undefined) appendFileSync(values.keep, `${small}\n`);
}

async function many(now: () => number): Promise<boolean> {
  const commit = commitText();
  // A fresh campaign begins where no earlier one has been: the time of day names it.
  const from = Number(values.from ?? freshSeed);
  const caughtBy = values["caught-by"]?.split(",");
  const caught = ({ verdict }: Failure): boolean =>
    checkersOf(verdict).some((checker) => caughtBy?.includes(checker));
  const result = await campaign({
    from,
    seeds: Number(values.seeds),
    mode: mode(),
    now,
    stopAt: caughtBy === undefined ? () => false : caught,
    onSeed: (seed) => {
      seedUnderWay = seed;
    },
  });
  console.log(result.summary);
  if (caughtBy !== undefined) return result.failures.some(caught);
  for (const failure of result.failures.slice(0, FAILURES_SHOWN)) await report(failure, commit);
  return result.failures.length === 0 && result.missing.length === 0;
}

async function main(now: () => number): Promise<boolean> {
  if (values.config !== undefined) {
    return one(JSON.parse(readFileSync(values.config, "utf8")) as Scenario);
  }
  if (values.seed !== undefined) {
    return one(drawScenario(values.seed, new SeededRng(values.seed).fork("scenario"), mode()));
  }
  return values.directed ? playAll() : many(now);
}

/**
 * Plays the schedules: on the sound build nobody may object; on a mutant, each schedule that names
 * it must make one of the `caught-by` checkers object.
 */
async function playAll(): Promise<boolean> {
  const { catching } = values;
  const caughtBy = values["caught-by"]?.split(",");
  const schedules = SCHEDULES.filter(
    ({ catches }) => catching === undefined || catches.includes(catching),
  );
  let asItShould = schedules.length > 0;
  for (const { name, play } of schedules) {
    const objecting = (await play()).filter(({ verdict }) => verdict !== "true");
    console.log(`${objecting.length === 0 ? "clean   " : "VIOLATED"} ${name}`);
    if (objecting.length > 0) console.log(explainFindings(objecting));
    asItShould &&=
      caughtBy === undefined
        ? objecting.length === 0
        : objecting.some(({ checker }) => caughtBy.includes(checker));
  }
  return asItShould;
}

// A rejection that nobody hears of would end a real process too: the seed has failed.
let seedUnderWay = values.seed ?? "";
process.on("unhandledRejection", (error) => {
  console.log(`\nFAILED: seed ${seedUnderWay} at commit ${commitText()}: unhandled rejection`);
  console.log(error instanceof Error ? error.stack : error);
  process.exit(values["caught-by"]?.split(",").includes("process") === true ? 0 : 1);
});

// Real time is for names and rates; once the tripwires are armed nothing else can get at it.
const freshSeed = Date.now();
const now = performance.now.bind(performance);
if (values.mutants || values.mutant !== undefined) {
  process.exitCode = (await huntMutants(values.mutant)) ? 0 : 1;
} else {
  armTripwires();
  process.exitCode = (await main(now)) ? 0 : 1;
}
