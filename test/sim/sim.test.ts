import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { SeededRng } from "../../src/testing/seeded-rng.ts";
import { MUTANTS } from "../support/mutants/table.mjs";
import { drawScenario } from "./scenario.ts";
import type { Scenario } from "./scenario.ts";
import { simulate } from "./simulate.ts";
import { explain, verdictOf } from "./verdict.ts";

const ROOT = join(import.meta.dirname, "../..");
/** Built by `npm test` beforehand: the campaign runs with the tripwires armed, outside vitest. */
const MAIN = join(ROOT, "dist/test/sim/main.js");
/** In every run of the suites; campaigns on fresh seeds are `npm run sim -- --seeds N`. */
const SEEDS = 600;

function sim(...args: readonly string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: "utf8",
  });
  return { status, output: `${stdout}${stderr}` };
}

function drawn(seed: string): Scenario {
  return drawScenario(seed, new SeededRng(seed).fork("scenario"));
}

describe("whole clusters on virtual time", () => {
  test(`${SEEDS} seeds: no promise is broken, and every state of interest came up`, () => {
    expect(sim("--from", "1", "--seeds", String(SEEDS))).toMatchObject({ status: 0 });
  });

  const kept = readFileSync(join(import.meta.dirname, "kept.jsonl"), "utf8")
    .trim()
    .split("\n");
  test.each(kept)("a scenario that once failed is clean: %s", async (line) => {
    const verdict = await verdictOf(() => simulate(JSON.parse(line) as Scenario));
    expect(explain(verdict)).toBe("clean");
  });

  test.each(["1", "2", "3", "4", "5", "6", "7", "8"])(
    "seed %s gives the same run twice, event by event",
    async (seed) => {
      const first = await simulate(drawn(seed));
      const second = await simulate(drawn(seed));
      expect(second.events).toBe(first.events);
      expect(second.traceHash).toBe(first.traceHash);
      expect(second.history).toEqual(first.history);
    },
  );

  test("another seed gives another run", async () => {
    const [first, second] = [await simulate(drawn("1")), await simulate(drawn("2"))];
    expect(second.traceHash).not.toBe(first.traceHash);
  });

  test.each(["setTimeout(() => {}, 1)", "Date.now()", "Math.random()", "fetch('http://x')"])(
    "a simulated program that calls %s is stopped",
    (call) => {
      const program = `import { armTripwires } from "./dist/test/sim/tripwire.js"; armTripwires(); ${call};`;
      const { status, stderr } = spawnSync(
        process.execPath,
        ["--input-type=module", "-e", program],
        { cwd: ROOT, encoding: "utf8" },
      );
      expect(status).toBe(1);
      expect(stderr).toContain("it must use its ports");
    },
  );
});

describe("builds that are broken on purpose are caught within their budgets", () => {
  test.each([...MUTANTS])("%s", (name, { seeds }) => {
    const { status, output } = sim("--mutant", name);
    expect({ status, output }).toMatchObject({ status: 0 });
    expect(output).toContain(seeds === 0 ? "directed" : ` of ${seeds} seeds`);
  });
});
