import { Evidence } from "./evidence.ts";
import type { Finding, History } from "./history.ts";
import { indexed } from "./indexed-history.ts";
import type { KeyHistory } from "./key-history.ts";
import type { LogicalWrite } from "./logical-writes.ts";
import { Peaks } from "./peaks.ts";
import { precedes } from "./version-history.ts";
import type { VersionHistory } from "./version-history.ts";
import { quoted, wording } from "./wording.ts";

/**
 * I5: writes of one key that do not overlap are ordered as they happened, whatever the clocks say.
 *
 * - A version whose write was called after another write had been acknowledged has the greater stamp,
 *   wherever both stamps are known, be it from a get. (It minted after it had learned, so this holds
 *   even where its own acknowledgement is missing.)
 * - What the replicas hold in the end had not been acknowledged before another acknowledged write
 *   was called.
 * - An attempt mints once, or reads can see v, z, v: a write has no more stamps than attempts.
 */
export function writeOrder(history: History): Finding {
  const evidence = new Evidence("write-order");
  const { keys, writes } = indexed(history);
  for (const key of keys.values()) {
    checkStamps(key, evidence);
    checkFinal(key, evidence);
    for (const version of key.versions.values()) checkOneStamp(key, version, evidence);
  }
  for (const [key, ofKey] of writes) {
    for (const write of ofKey.values()) checkMintedOnce(key, write, evidence);
  }
  return evidence.finding();
}

function checkStamps(key: KeyHistory, evidence: Evidence): void {
  const { acknowledged } = key;
  const stamped = [...key.versions.values()].filter((it) => it.stamp !== undefined);
  stamped.sort((a, b) => a.call - b.call);
  const stamps = new Peaks<VersionHistory>();
  let next = 0;
  for (const version of stamped) {
    for (let earlier = acknowledged[next]; earlier !== undefined; earlier = acknowledged[++next]) {
      if (!(earlier.ackedAt < version.call)) break;
      if (earlier.stamp !== undefined) {
        stamps.note({ reach: earlier.w, floor: 0 }, earlier.stamp, earlier);
      }
    }
    evidence.examine();
    const greatest = stamps.highest({ reach: version.learnsFrom, floor: Infinity });
    if (greatest === undefined || greatest.height < (version.stamp ?? Infinity)) continue;
    const earlier = greatest.by;
    evidence.violation(
      key.key,
      [earlier.ackedBy, version.attempted, version.stampedBy],
      () =>
        `${wording(earlier.ackedBy)} had been acknowledged with stamp ${earlier.stamp} before ` +
        `${wording(version.attempted)} was called, which got no greater one: ${version.stamp}.`,
    );
  }
}

function checkFinal(key: KeyHistory, evidence: Evidence): void {
  const { final } = key;
  if (final === undefined) return;
  const overwritten = key.acknowledged.find((later) => precedes(final.version, later));
  if (overwritten === undefined) return;
  evidence.violation(
    key.key,
    [final.version.ackedBy, overwritten.ackedBy],
    () =>
      `Replica ${final.node} holds ${quoted(final.version.id)} in the end: ${wording(final.version.ackedBy)} had been ` +
      `acknowledged before ${wording(overwritten.ackedBy)} was called.`,
  );
}

function checkOneStamp(key: KeyHistory, version: VersionHistory, evidence: Evidence): void {
  const { stamp, stampedBy } = version;
  if (stamp === undefined) return;
  const differs = (it: { readonly stamp: number | undefined }): boolean =>
    it.stamp !== undefined && it.stamp !== stamp;
  const other = version.attempts.find(differs) ?? version.reads.find(differs);
  const held = key.finals.find((it) => it.version === version && differs(it.record));
  if (other === undefined && held === undefined) return;
  evidence.violation(
    key.key,
    [stampedBy, other],
    () =>
      `${quoted(version.id)} has two stamps: ${stamp} (${wording(stampedBy)}) and ` +
      (other === undefined
        ? `${held?.record.stamp} at replica ${held?.node}.`
        : `${wording(other)}.`),
  );
}

/** Of a write that was attempted again. Refused attempts are for `outcome-honesty`. */
function checkMintedOnce(key: string, write: LogicalWrite, evidence: Evidence): void {
  const { attempts, effective, unclaimed, unstamped } = write;
  if (attempts.length < 2 || effective.length === 0 || unclaimed.length <= unstamped.length) return;
  evidence.violation(
    key,
    attempts,
    () =>
      `${quoted(write.id)} was minted more often than it was attempted: stamps ${unclaimed.join(", ")} besides ` +
      `those of ${attempts.map((it) => wording(it)).join(", ")}.`,
  );
}
