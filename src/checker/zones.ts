import type { Operation } from "./history.ts";

/**
 * When one version was current, as far as its operations tell: from no later than the first end of
 * any of them until no earlier than the last call of any. A version comes before another if any
 * operation of the one ended before any operation of the other was called, which is to say
 * `one.firstEnd < other.lastCall`.
 */
export interface Zone {
  readonly version: string | undefined;
  firstEnd: number;
  firstEnded: Operation | undefined;
  lastCall: number;
  lastCalled: Operation | undefined;
}

/** Two versions of which each would have to come before the other. */
export interface Conflict {
  readonly one: Zone;
  readonly other: Zone;
}

export function emptyZone(version: string | undefined): Zone {
  return {
    version,
    firstEnd: Infinity,
    firstEnded: undefined,
    lastCall: -Infinity,
    lastCalled: undefined,
  };
}

export function widen(zone: Zone, operation: Operation, end = operation.end ?? Infinity): void {
  if (end < zone.firstEnd) {
    zone.firstEnd = end;
    zone.firstEnded = operation;
  }
  if (operation.call > zone.lastCall) {
    zone.lastCall = operation.call;
    zone.lastCalled = operation;
  }
}

/**
 * Whether the zones can be put in an order: none is returned if and only if they can.
 *
 * This is the test of Gibbons and Korach ("Testing shared memories", SIAM J. Comput. 26(4), 1997)
 * for histories in which every read tells its write: no two forward zones (firstEnd < lastCall)
 * overlap, and no backward zone lies within a forward one. Both are one condition, that no two zones
 * each come before the other, and two are enough: in a shortest cycle of three or more, zone i does
 * not come before zone i+2 (a shortcut), hence firstEnd(i) ≥ lastCall(i+2) > firstEnd(i+1), and
 * firstEnd would fall all the way round. Operations that touch at one instant are concurrent.
 *
 * The sweep by firstEnd keeps the zone that ends last. Where another one is the only partner of a
 * conflict, that one conflicts with the kept one, which was found before; so the answer is empty when
 * it should be, although it does not list every pair.
 */
export function conflictsOf(zones: readonly Zone[]): readonly Conflict[] {
  const conflicts: Conflict[] = [];
  let widest: Zone | undefined;
  for (const zone of zones.toSorted((a, b) => compare(a.firstEnd, b.firstEnd))) {
    if (
      widest !== undefined &&
      zone.firstEnd < widest.lastCall &&
      widest.firstEnd < zone.lastCall
    ) {
      conflicts.push({ one: widest, other: zone });
    }
    if (widest === undefined || zone.lastCall > widest.lastCall) widest = zone;
  }
  return conflicts;
}

/** Unlike a difference, it orders infinities. */
function compare(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
