import type { Sometimes } from "../../src/checker/sometimes.ts";

/** States without which a clean campaign would prove little. */
export const REQUIRED_STATES: readonly string[] = [
  "a read found a stale replica",
  "a read saw a write that was never acknowledged",
  "a write learned a stamp above its own clock",
  "a read found an expired version",
  "error clock-unsafe",
  "a quorum was refused",
  "a write's outcome was unknown",
  "a spare replica was asked",
  "a message was lost",
  "a node restarted",
  "a node ended itself",
  "a crash lost something unsynced",
  "read repair met",
  "a write was recognised",
  "error write-id-reused",
  "a hedge was asked",
  "a peer was suspect",
  "a damaged record was repaired",
  "a disk was full",
  "a disk was wiped",
  "a node was whole again",
];

/** The same of runs on buckets that keep siblings. */
export const REQUIRED_AMONG_SIBLINGS: readonly string[] = [
  "a read showed siblings",
  "siblings were merged",
  "a delete stood beside a value",
  "a write among siblings was recognised",
  "a write was forwarded to who minted it",
  "a node minted as somebody new",
  "error too-many-siblings",
  "error context-required",
  "error context-invalid",
];

export function statesText({ counts }: Sometimes): string {
  return [...counts]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([state, count]) => `  ${state}: ${count}`)
    .join("\n");
}
