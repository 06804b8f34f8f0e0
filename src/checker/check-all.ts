import { convergence } from "./convergence.ts";
import { durability } from "./durability.ts";
import { falseSiblings } from "./false-siblings.ts";
import type { Checker, Finding, History } from "./history.ts";
import { indexed } from "./indexed-history.ts";
import { linearizableRegister } from "./linearizable-register.ts";
import { lostSiblings } from "./lost-siblings.ts";
import { monotonicReads } from "./monotonic-reads.ts";
import { oneDot } from "./one-dot.ts";
import { oneEffect } from "./one-effect.ts";
import { outcomeHonesty } from "./outcome-honesty.ts";
import { regular } from "./regular.ts";
import { siblingBound } from "./sibling-bound.ts";
import { unwritten } from "./unwritten.ts";
import { writeOrder } from "./write-order.ts";

/** What a bucket that keeps one version promises, requests excepted that ask for less. */
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

/** Holds a promise that is made of each version by itself against every sibling that was seen. */
export function ofEachSibling(checker: Checker): Checker {
  return (history) => checker(indexed(history).oneByOne);
}

/** What a bucket that keeps siblings promises, requests excepted that ask for less. */
export const SIBLINGS_CHECKERS: readonly Checker[] = [
  ofEachSibling(unwritten),
  ofEachSibling(outcomeHonesty),
  lostSiblings,
  falseSiblings,
  oneDot,
  siblingBound,
  convergence,
];

export function checkAll(history: History, checkers: readonly Checker[]): readonly Finding[] {
  const it = indexed(history);
  return checkers.map((checker) => checker(it));
}

/** Whether all findings are `true`: one that is `unknown` is no pass. */
export function passed(findings: readonly Finding[]): boolean {
  return findings.every(({ verdict }) => verdict === "true");
}
