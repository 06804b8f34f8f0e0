import { Evidence } from "./evidence.ts";
import type { Finding, History } from "./history.ts";
import { indexed } from "./indexed-history.ts";
import type { KeyHistory, Read } from "./key-history.ts";
import { Peaks } from "./peaks.ts";
import type { VersionHistory } from "./version-history.ts";
import { quoted, wording } from "./wording.ts";

/**
 * I3, read after write: a get called after a write was acknowledged returns that write or something
 * that supersedes it. What it returns is too old
 *
 * - by times: if it had been acknowledged before that write was called (which is what a regular
 *   register of many writers may not do: Shao, Welch, Pierce and Lee, "Multiwriter consistency
 *   conditions for shared memory registers", SIAM J. Comput. 40(1), 2011), and "nothing" always is;
 * - by stamps, where the API told them: if its stamp is the smaller one.
 *
 * The promise holds between one get and one write, when the R of the get and the W of the write have
 * R + W > N: each of two requests can keep the sum with the bucket's other size and the two still
 * miss each other. Writes that renounced durability are not held against a get, because power loss
 * may take them and a history does not tell when power was lost.
 */
export function regular(history: History): Finding {
  const evidence = new Evidence("regular");
  for (const key of indexed(history).keys.values()) checkKey(key, evidence);
  return evidence.finding();
}

function checkKey(key: KeyHistory, evidence: Evidence): void {
  const { acknowledged, readsByCall } = key;
  const calls = new Peaks<VersionHistory>();
  const stamps = new Peaks<VersionHistory>();
  let next = 0;
  for (const read of readsByCall) {
    const { operation, version } = read;
    for (let write = acknowledged[next]; write !== undefined; write = acknowledged[++next]) {
      if (!(write.ackedAt < operation.call)) break;
      calls.note({ reach: write.w, floor: write.learnsFrom }, write.call, write);
      if (write.stamp !== undefined) {
        stamps.note({ reach: write.w, floor: 0 }, write.stamp, write);
      }
    }
    evidence.examine();
    const reach = operation.n - operation.r + 1;
    const stamp = operation.stamp ?? version.stamp;
    const later = version.sync ? calls.highest({ reach, floor: version.w }) : undefined;
    if (later !== undefined && later.height > version.settledAt) {
      tooOldByTimes(key, read, later.by, evidence);
      continue;
    }
    const greater = stamps.highest({ reach, floor: Infinity });
    if (greater !== undefined && stamp !== undefined && greater.height > stamp) {
      tooOldByStamp(key, read, greater.by, evidence);
    }
  }
}

function tooOldByTimes(
  key: KeyHistory,
  { operation, version }: Read,
  missed: VersionHistory,
  evidence: Evidence,
): void {
  const write = missed.ackedBy;
  if (version === key.nothing) {
    evidence.violation(
      key.key,
      [write, operation],
      () =>
        `${wording(operation)} was called after a write had been acknowledged: ${wording(write)}.`,
    );
    return;
  }
  evidence.violation(
    key.key,
    [version.ackedBy, write, operation],
    () =>
      `${wording(operation)} is stale: the write that it returned, ${wording(version.ackedBy)}, had been ` +
      `acknowledged before ${wording(write)} was called, which was acknowledged before the get was called.`,
  );
}

function tooOldByStamp(
  key: KeyHistory,
  { operation, version }: Read,
  missed: VersionHistory,
  evidence: Evidence,
): void {
  const stamp = operation.stamp ?? version.stamp;
  evidence.violation(
    key.key,
    [missed.ackedBy, operation],
    () =>
      `${wording(operation)} is stale: ${quoted(version.id)} has stamp ${stamp}, and the greater stamp ` +
      `${missed.stamp} had been acknowledged before the get was called: ${wording(missed.ackedBy)}.`,
  );
}
