import { convergence } from "./convergence.ts";
import { durability } from "./durability.ts";
import type { Checker, Finding, History } from "./history.ts";
import { indexed } from "./indexed-history.ts";
import { linearizableRegister } from "./linearizable-register.ts";
import { monotonicReads } from "./monotonic-reads.ts";
import { oneEffect } from "./one-effect.ts";
import { outcomeHonesty } from "./outcome-honesty.ts";
import { regular } from "./regular.ts";
import { unwritten } from "./unwritten.ts";
import { writeOrder } from "./write-order.ts";

/** What every bucket promises, requests excepted that ask for less. */
export const LWW_CHECKERS: readonly Checker[] = [
  unwritten,
  outcomeHonesty,
  regular,
  monotonicReads,
  writeOrder,
  oneEffect,
  durability,
  convergence,
];

/** What a strong bucket promises besides. */
export const STRONG_CHECKERS: readonly Checker[] = [...LWW_CHECKERS, linearizableRegister];

export function checkAll(history: History, checkers: readonly Checker[]): readonly Finding[] {
  const it = indexed(history);
  return checkers.map((checker) => checker(it));
}

/** Whether all findings are `true`: one that is `unknown` is no pass. */
export function passed(findings: readonly Finding[]): boolean {
  return findings.every(({ verdict }) => verdict === "true");
}
