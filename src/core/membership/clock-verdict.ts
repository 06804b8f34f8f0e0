import { majority } from "../bucket.ts";
import type { NodeId } from "../ids.ts";
import type { ClockOffset } from "./peer-clock.ts";

/** Whether the two clocks differ by more than the limit for certain. */
function isOff({ offsetMs, errorMs }: ClockOffset, clockOffsetMaxMs: number): boolean {
  return Math.abs(offsetMs) - errorMs > clockOffsetMaxMs;
}

/**
 * Judges the own clock by those of the other members: it is unsafe when it differs from the clocks
 * of a majority of all members. The own one never counts against itself, nor does one that was not
 * read, so a node that hears of nobody goes on, and of two nodes neither has a majority against it:
 * which of two clocks is wrong, two nodes cannot tell.
 *
 * @returns the members whose clocks speak against the own one; nobody when it is safe.
 */
export function clocksAgainst(
  offsets: ReadonlyMap<NodeId, ClockOffset>,
  { members, clockOffsetMaxMs }: { readonly members: number; readonly clockOffsetMaxMs: number },
): readonly NodeId[] {
  const against = [...offsets].filter(([, offset]) => isOff(offset, clockOffsetMaxMs));
  return against.length < majority(members) ? [] : against.map(([node]) => node);
}
