import type { Operation } from "./history.ts";

/**
 * Makes short work of what a linearizability search would otherwise try at every instant: writes
 * whose outcome is unknown. Sound where each version was attempted once, tombstones included:
 *
 * - never read: whether and when it took effect makes no difference to anybody; dropped;
 * - read: it took effect before the first get that saw it returned; closed at the end of that get.
 *
 * Gets that were not answered and writes proven without effect are dropped (`outcome-honesty` watches
 * the latter). Where several attempts share one version an unknown one stays open, for the get may have
 * seen another's.
 */
export function closeUnknown(operations: readonly Operation[]): readonly Operation[] {
  const byKey = new Map<string, Map<string, Sighting>>();
  for (const operation of operations) note(operation, byKey);
  const closed: Operation[] = [];
  for (const operation of operations) {
    if (operation.outcome === "ok") {
      closed.push(operation);
      continue;
    }
    if (operation.outcome !== "unknown" || operation.kind === "get") continue;
    const sighting = byKey.get(operation.key)?.get(operation.version ?? "");
    if (operation.version === undefined || sighting === undefined || sighting.reads === 0) continue;
    if (sighting.writes > 1) {
      closed.push({ ...operation, end: undefined });
    } else {
      // The maximum keeps the interval whole when a get saw the version before it was attempted.
      const end = Math.max(operation.call, sighting.firstReadEnd);
      closed.push({ ...operation, outcome: "ok", end: end < Infinity ? end : undefined });
    }
  }
  return closed;
}

/** What is known of one version before the unknown writes are closed. */
interface Sighting {
  writes: number;
  reads: number;
  firstReadEnd: number;
}

function note(operation: Operation, byKey: Map<string, Map<string, Sighting>>): void {
  const { key, kind, version, outcome, end } = operation;
  const isRead = kind === "get";
  if (version === undefined || outcome === "not-applied" || (isRead && outcome !== "ok")) return;
  let sightings = byKey.get(key);
  if (sightings === undefined) {
    sightings = new Map();
    byKey.set(key, sightings);
  }
  let sighting = sightings.get(version);
  if (sighting === undefined) {
    sighting = { writes: 0, reads: 0, firstReadEnd: Infinity };
    sightings.set(version, sighting);
  }
  if (!isRead) {
    sighting.writes += 1;
    return;
  }
  sighting.reads += 1;
  sighting.firstReadEnd = Math.min(sighting.firstReadEnd, end ?? Infinity);
}
