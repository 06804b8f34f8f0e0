import { closeUnknown } from "./close-unknown.ts";
import { Evidence } from "./evidence.ts";
import type { Finding, History } from "./history.ts";
import { indexed } from "./indexed-history.ts";
import type { KeyHistory } from "./key-history.ts";
import type { VersionHistory } from "./version-history.ts";
import { linearize, STEPS_MAX } from "./wgl.ts";
import { quoted, wording } from "./wording.ts";
import { conflictsOf, emptyZone, widen } from "./zones.ts";
import type { Conflict, Zone } from "./zones.ts";

/**
 * Each key is a linearizable register: all its operations, of all clients, fit one order that respects
 * real time and in which every get returns the version written last. `lww` buckets do not promise
 * this.
 *
 * Keys are independent (linearizability is local: Herlihy and Wing, TOPLAS 12(3), 1990). Where every
 * attempt wrote a version of its own the zones of the versions decide, in n log n. Where attempts
 * share one, either may have taken effect, and the bounded search decides or gives up as `unknown`.
 */
export function linearizableRegister(
  history: History,
  { stepsMax = STEPS_MAX }: { readonly stepsMax?: number } = {},
): Finding {
  const evidence = new Evidence("linearizable-register");
  for (const key of indexed(history).keys.values()) {
    evidence.examine(key.operations.length);
    if (hasSharedVersion(key)) searchOrder(key, { stepsMax, evidence });
    else checkZones(key, evidence);
  }
  return evidence.finding();
}

function hasSharedVersion(key: KeyHistory): boolean {
  for (const version of key.versions.values()) {
    if (version.effective > 1) return true;
  }
  return false;
}

function checkZones(key: KeyHistory, evidence: Evidence): void {
  const zones: Zone[] = [];
  if (key.nothing.reads.length > 0) zones.push(zoneOf(key.nothing));
  for (const version of key.versions.values()) {
    if (version.reads.length > 0 && !readAfterCall(key, version, evidence)) continue;
    // One that nobody read and nobody acknowledged ends never, and so conflicts with nothing.
    zones.push(zoneOf(version));
  }
  for (const conflict of conflictsOf(zones)) noOrder(key, conflict, evidence);
}

/** False, with a violation, where a get returned what had not been written yet, or never was. */
function readAfterCall(key: KeyHistory, version: VersionHistory, evidence: Evidence): boolean {
  const early =
    version.effective === 0
      ? version.reads[0]
      : version.reads.find((read) => (read.end ?? Infinity) < version.call);
  if (early === undefined) return true;
  evidence.violation(
    key.key,
    [version.attempted, early],
    () => `${wording(early)} cannot have been written by then: ${wording(version.attempted)}.`,
  );
  return false;
}

/**
 * Of the write and all gets that returned it. The acknowledgement closes the write, or else the first
 * of the gets does (see `closeUnknown`): firstEnd is the same.
 */
function zoneOf(version: VersionHistory): Zone {
  const zone = emptyZone(version.id);
  if (version.written === undefined) zone.firstEnd = version.ackedAt;
  else widen(zone, version.written, version.ackedAt);
  for (const read of version.reads) widen(zone, read);
  return zone;
}

function noOrder(key: KeyHistory, { one, other }: Conflict, evidence: Evidence): void {
  evidence.violation(
    key.key,
    [one.firstEnded, other.lastCalled, other.firstEnded, one.lastCalled],
    () =>
      `Neither ${quoted(one.version)} nor ${quoted(other.version)} can have been written first: ` +
      `${leads(one, other)}, and ${leads(other, one)}.`,
  );
}

function leads(one: Zone, other: Zone): string {
  if (one.firstEnded === undefined) return "nothing comes before everything";
  return `${wording(one.firstEnded)} ended before ${wording(other.lastCalled)} was called`;
}

function searchOrder(
  key: KeyHistory,
  { stepsMax, evidence }: { stepsMax: number; evidence: Evidence },
): void {
  const { verdict, stuck } = linearize(closeUnknown(key.operations), { stepsMax });
  if (verdict === "unknown") evidence.undecided();
  if (verdict !== "false") return;
  evidence.violation(key.key, [stuck], () => `No order can place ${wording(stuck)}.`);
}
