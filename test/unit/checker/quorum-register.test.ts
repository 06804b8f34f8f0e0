import { describe, expect, test } from "vitest";
import { checkAll, LWW_CHECKERS, STRONG_CHECKERS } from "../../../src/checker/check-all.ts";
import type { Checker, History } from "../../../src/checker/history.ts";
import { summary } from "../../../src/checker/summary.ts";
import { SeededRng } from "../../../src/testing/seeded-rng.ts";
import { MUTANTS, runQuorumRegister } from "./support/quorum-register.ts";
import type { Mutant, Setting } from "./support/quorum-register.ts";
import { withoutStamps } from "./support/register-histories.ts";

const RUNS = 400;

/** Each seed draws its own sizes and faults; every bucket has R + W > N. */
function drawSetting(seed: number, mutant?: Mutant): Setting {
  const rng = new SeededRng(`setting/${seed}`);
  const pick = <T>(choices: readonly [T, ...T[]]): T =>
    choices[rng.below(choices.length)] ?? choices[0];
  const n = pick([3, 3, 4, 5]);
  const r = 1 + rng.below(n);
  return {
    seed,
    n,
    r,
    w: Math.min(n, n + 1 - r + rng.below(2)),
    operations: 150,
    clients: 2 + rng.below(8),
    keys: pick([1, 2, 4]),
    ownSizes: pick([0, 0.3, 0.7]),
    asyncShare: pick([0, 0.3]),
    loss: pick([0, 0.05, 0.2]),
    powerLoss: pick([0, 0.01, 0.05]),
    skew: pick([0, 5, 50, 500]),
    retries: pick([0, 0.2, 0.6]),
    mutant,
  };
}

/** In which every promise is made for every request, linearizability too (R > N/2). */
function drawStrictSetting(seed: number): Setting {
  const drawn = drawSetting(seed);
  const quorum = Math.floor(drawn.n / 2) + 1;
  return { ...drawn, r: quorum, w: quorum, ownSizes: 0, asyncShare: 0, retries: 0 };
}

function failures(
  runs: number,
  {
    settingOf,
    checkers,
    seenOf = (it) => it,
  }: {
    settingOf: (seed: number) => Setting;
    checkers: readonly Checker[];
    seenOf?: (history: History) => History;
  },
): readonly string[] {
  const failed: string[] = [];
  for (let seed = 1; seed <= runs; seed++) {
    const setting = settingOf(seed);
    const findings = checkAll(seenOf(runQuorumRegister(setting)), checkers);
    const objecting = findings.filter(({ verdict }) => verdict !== "true");
    if (objecting.length > 0) failed.push(`${JSON.stringify(setting)}\n${summary(objecting)}`);
  }
  return failed;
}

describe("learn → mint → write, under loss, deadlines, skew, power loss, and requests with sizes of their own", () => {
  test(`breaks no promise in ${RUNS} runs`, () => {
    expect(failures(RUNS, { settingOf: drawSetting, checkers: LWW_CHECKERS })).toEqual([]);
  });

  test(`breaks none in ${RUNS} runs whose clients are told no stamps`, () => {
    const blind = { settingOf: drawSetting, checkers: LWW_CHECKERS, seenOf: withoutStamps };
    expect(failures(RUNS, blind)).toEqual([]);
  });

  test(`is linearizable in ${RUNS} runs with R = W = majority for every request`, () => {
    const strict = { settingOf: drawStrictSetting, checkers: STRONG_CHECKERS };
    expect(failures(RUNS, strict)).toEqual([]);
  });
});

/** Who must object, to how many of 400 runs at least. */
const CAUGHT: Record<Mutant, readonly [checker: string, runs: number]> = {
  "no learn round": ["write-order", 50],
  "no write-back": ["monotonic-reads", 10],
  "write-back to max(W, N-R+1) only": ["monotonic-reads", 1],
  "older versions are applied": ["regular", 50],
  "first answer instead of newest": ["regular", 50],
  "equal stamps keep what came first": ["convergence", 1],
  "deadline reported as not-applied": ["outcome-honesty", 100],
  "acknowledged before fsync": ["durability", 10],
  "stamps first and stamps again on conflict": ["write-order", 20],
  "a retry is not recognised": ["one-effect", 50],
  "a retry that is recognised is acknowledged at once": ["regular", 5],
};

describe("a build that leaves out one thing is caught", () => {
  test.each(MUTANTS)("%s", (mutant) => {
    const [name, runs] = CAUGHT[mutant];
    let caught = 0;
    for (let seed = 1; seed <= RUNS; seed++) {
      const findings = checkAll(runQuorumRegister(drawSetting(seed, mutant)), LWW_CHECKERS);
      if (findings.some(({ checker, verdict }) => checker === name && verdict === "false"))
        caught++;
    }
    expect(caught).toBeGreaterThanOrEqual(runs);
  });
});
