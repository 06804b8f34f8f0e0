import { Evidence } from "./evidence.ts";
import type { Finding, History, Operation } from "./history.ts";
import { indexed } from "./indexed-history.ts";
import type { KeyHistory, Read } from "./key-history.ts";
import { Peaks } from "./peaks.ts";
import { quoted, wording } from "./wording.ts";
import { conflictsOf, emptyZone, widen } from "./zones.ts";
import type { Zone } from "./zones.ts";

/**
 * I4: of two gets of one key, by whatever clients, of which one ended before the other was called,
 * the later one does not return the older version. Older is
 *
 * - by stamps, where the API told them, for any two gets with R + R' > N;
 * - by times, among gets with R > N/2: what had been acknowledged before the write of the other was
 *   called; and whatever lets no order of the versions explain all gets, as in v, z, v, or a version
 *   and then nothing. Without stamps this finds new-then-old reads of unacknowledged writes too.
 *
 * Versions whose write renounced durability do not count as seen: power loss may take them.
 */
export function monotonicReads(history: History): Finding {
  const evidence = new Evidence("monotonic-reads");
  for (const key of indexed(history).keys.values()) {
    const before = evidence.violations;
    checkPairs(key, evidence);
    if (evidence.violations === before) checkOrder(key, evidence);
  }
  return evidence.finding();
}

/** Each get against the greatest stamp, and the latest written version, of those that ended before. */
function checkPairs(key: KeyHistory, evidence: Evidence): void {
  const { readsByCall, readsByEnd } = key;
  const stamps = new Peaks<Read>();
  const calls = new Peaks<Read>();
  let next = 0;
  for (const read of readsByCall) {
    const { operation, version } = read;
    for (let ended = readsByEnd[next]; ended !== undefined; ended = readsByEnd[++next]) {
      if (!((ended.operation.end ?? Infinity) < operation.call)) break;
      if (ended.version.sync) noteSeen(ended, stamps, calls);
    }
    evidence.examine();
    const stamp = operation.stamp ?? version.stamp;
    const greater = stamps.highest({ reach: operation.n - operation.r + 1, floor: Infinity });
    if (greater !== undefined && stamp !== undefined && greater.height > stamp) {
      wentBack(key, { earlier: greater.by, later: read }, evidence);
      continue;
    }
    if (!version.sync || !isMajority(operation)) continue;
    const newer = calls.highest({ reach: 0, floor: version.w });
    if (newer !== undefined && newer.height > version.settledAt) {
      wentBack(key, { earlier: newer.by, later: read }, evidence);
    }
  }
}

function noteSeen(read: Read, stamps: Peaks<Read>, calls: Peaks<Read>): void {
  const { operation, version } = read;
  const stamp = operation.stamp ?? version.stamp;
  if (stamp !== undefined) stamps.note({ reach: operation.r, floor: 0 }, stamp, read);
  if (isMajority(operation)) {
    calls.note({ reach: 0, floor: version.learnsFrom }, version.call, read);
  }
}

function wentBack(
  key: KeyHistory,
  { earlier, later }: { earlier: Read; later: Read },
  evidence: Evidence,
): void {
  const [newer, older] = [earlier.version.attempted, later.version.ackedBy];
  evidence.violation(
    key.key,
    [older, newer, earlier.operation, later.operation],
    () =>
      `Reads went back: ${wording(earlier.operation)} ended before ${wording(later.operation)} was called. ` +
      `The writes: ${wording(newer)}, and before it ${wording(older)}.`,
  );
}

/** Whether any order of the versions explains all gets: the zones are those of the gets alone. */
function checkOrder(key: KeyHistory, evidence: Evidence): void {
  const zones: Zone[] = [];
  const nothing = readZone(undefined, key.nothing.reads);
  if (nothing.lastCalled !== undefined) {
    nothing.firstEnd = -Infinity;
    nothing.firstEnded = undefined;
    zones.push(nothing);
  }
  for (const { id, reads, sync, stamp, effective } of key.versions.values()) {
    // What several attempts share without a stamp may be two versions.
    if (!sync || reads.length === 0 || (effective > 1 && stamp === undefined)) continue;
    const zone = readZone(id, reads);
    if (zone.lastCalled !== undefined) zones.push(zone);
  }
  for (const { one, other } of conflictsOf(zones)) {
    evidence.violation(
      key.key,
      [one.firstEnded, other.lastCalled, other.firstEnded, one.lastCalled],
      () =>
        `No order of ${quoted(one.version)} and ${quoted(other.version)} explains the gets: ` +
        `${leads(one, other)}, and ${leads(other, one)}.`,
    );
  }
}

function readZone(version: string | undefined, reads: readonly Operation[]): Zone {
  const zone = emptyZone(version);
  for (const read of reads) {
    if (isMajority(read)) widen(zone, read);
  }
  return zone;
}

function leads(one: Zone, other: Zone): string {
  if (one.firstEnded === undefined) return "nothing comes before everything";
  return `${wording(one.firstEnded)} ended before ${wording(other.lastCalled)} was called`;
}

/** Any two of these meet in some replica. */
function isMajority({ n, r }: Operation): boolean {
  return r > n / 2;
}
