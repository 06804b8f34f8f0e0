import type { Mode } from "../../src/core/bucket.ts";
import { Sometimes } from "../../src/checker/sometimes.ts";
import { SeededRng } from "../../src/testing/seeded-rng.ts";
import { drawScenario } from "./scenario.ts";
import type { Scenario } from "./scenario.ts";
import { simulate } from "./simulate.ts";
import { REQUIRED_AMONG_SIBLINGS, REQUIRED_STATES, statesText } from "./required-states.ts";
import { verdictOf } from "./verdict.ts";
import type { RunVerdict } from "./verdict.ts";

/** A campaign of at least so many seeds must have seen every required state. */
const SEEDS_FOR_ALL_STATES = 200;

export interface Failure {
  readonly scenario: Scenario;
  readonly verdict: RunVerdict;
}

export interface CampaignResult {
  readonly failures: readonly Failure[];
  /** States of interest that never came up although there were seeds enough. */
  readonly missing: readonly string[];
  readonly summary: string;
}

/** Runs `seeds` seeds, numbered upwards from `from`. */
export async function campaign(opts: {
  from: number;
  seeds: number;
  /** Of all runs; undefined: each seed draws its own. */
  mode?: Mode | undefined;
  /** Real time, for the rate that is printed; the runs do not know it. */
  now: () => number;
  stopAt: (failure: Failure) => boolean;
  /** Told of each seed before it runs. */
  onSeed: (seed: string) => void;
}): Promise<CampaignResult> {
  const failures: Failure[] = [];
  const sometimes = new Sometimes();
  const begun = opts.now();
  let operations = 0;
  let done = 0;
  while (done < opts.seeds) {
    const seed = String(opts.from + done);
    opts.onSeed(seed);
    const scenario = drawScenario(seed, new SeededRng(seed).fork("scenario"), opts.mode);
    const verdict = await verdictOf(() => simulate(scenario));
    done += 1;
    if (verdict.kind !== "broken") {
      operations += verdict.run.history.operations.length;
      sometimes.add(verdict.run.sometimes);
    }
    if (verdict.kind === "clean") continue;
    const failure = { scenario, verdict };
    failures.push(failure);
    if (opts.stopAt(failure)) break;
  }
  const required =
    opts.mode === "lww" ? REQUIRED_STATES : [...REQUIRED_STATES, ...REQUIRED_AMONG_SIBLINGS];
  const missing = done < SEEDS_FOR_ALL_STATES ? [] : sometimes.never(required);
  const perMinute = Math.round((done * 60_000) / (opts.now() - begun));
  const summary = [
    statesText(sometimes),
    ...missing.map((state) => `NEVER SEEN: ${state}`),
    `${done} of ${opts.seeds} seeds from ${opts.from}: ${failures.length} failed, ${operations} operations, ${perMinute} seeds a minute`,
  ].join("\n");
  return { failures, missing, summary };
}
