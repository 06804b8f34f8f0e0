import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { Journal, SLOW_MS, violations } from "./journal.ts";
import type { Entry } from "./journal.ts";
import { keysNamed, Load, preload } from "./load.ts";

const CLIENTS = 64;
const KEYS = keysNamed("fault", 1_000);
const VALUE_BYTES = 1_024;
const SECOND_MS = 1_000;
/** Code is compiled and connections are open then. */
const WARM_UP_MS = 1_000;
const SECONDS_BEFORE = 2;
/** From here on a fault is known, and no request may wait for it. */
const DETECTION_MS = 2_000;
const AFTER_MS = 2_000;
/** Each client may meet the fault once when it begins and once when it ends. */
const SLOW_MAX = 2 * CLIENTS;

export interface Fault {
  readonly name: string;
  /** How long it lasts. */
  readonly ms: number;
  readonly begin: () => Promise<void> | void;
  readonly end: () => Promise<void> | void;
}

export interface FaultRun {
  readonly journal: Journal;
  /** Successes of the slower second before the fault, and of its own last second. */
  readonly before: number;
  readonly lastSecond: number;
  /** Slow requests that began when the fault was known, and before it ended. */
  readonly slowOnceKnown: readonly Entry[];
}

/** Keep-alive clients through `urls`, half of them gets and half puts of 1 KiB, before, during and after a fault. */
export async function runFault(fault: Fault, urls: readonly string[]): Promise<FaultRun> {
  const journal = new Journal();
  const load = { urls, clients: CLIENTS, keys: KEYS, valueBytes: VALUE_BYTES, getShare: 0.5 };
  await preload(load, journal);
  const clients = new Load(load, journal);
  await sleep(WARM_UP_MS + SECONDS_BEFORE * SECOND_MS);
  const begun = performance.now();
  await fault.begin();
  await sleep(fault.ms - (performance.now() - begun));
  const ended = performance.now();
  await fault.end();
  await sleep(AFTER_MS);
  await clients[Symbol.asyncDispose]();
  const secondFrom = (from: number): number => journal.succeededIn({ from, to: from + SECOND_MS });
  const run: FaultRun = {
    journal,
    before: Math.min(
      ...Array.from({ length: SECONDS_BEFORE }, (_, i) => secondFrom(begun - (i + 1) * SECOND_MS)),
    ),
    lastSecond: secondFrom(ended - SECOND_MS),
    slowOnceKnown: journal.slow.filter(
      ({ call }) => call > begun + DETECTION_MS && call + SLOW_MS < ended,
    ),
  };
  print(fault, run);
  return run;
}

/** What a fault may cost clients whose quorum is elsewhere. */
export function expectUnhurt({ journal, before, lastSecond, slowOnceKnown }: FaultRun): void {
  const errors = new Set(journal.errors.map(({ kind, error }) => `${kind}: ${String(error)}`));
  expect([...errors], `of ${journal.errors.length} errors`).toEqual([]);
  expect(journal.falselyAbsent).toEqual([]);
  expect(violations(journal.findings())).toEqual([]);
  expect(journal.slow.length, `requests slower than ${SLOW_MS} ms`).toBeLessThanOrEqual(SLOW_MAX);
  expect(slowOnceKnown, `slow requests ${DETECTION_MS} ms after the fault began`).toEqual([]);
  expect(lastSecond, "operations in the last second").toBeGreaterThan(before / 2);
}

/** A line for the table in the README. */
function print({ name }: Fault, { journal, before, lastSecond }: FaultRun): void {
  const { errors, falselyAbsent, slow, worstMs } = journal;
  const worst = `${Math.round(worstMs)} ms`;
  const counts = [before, lastSecond, errors.length, falselyAbsent.length, slow.length];
  console.log(`| ${[name, ...counts, worst].join(" | ")} |`);
}
