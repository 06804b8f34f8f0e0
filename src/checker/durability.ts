import { Evidence } from "./evidence.ts";
import type { Finding, History } from "./history.ts";
import { indexed } from "./indexed-history.ts";
import type { FinalRecord, KeyHistory } from "./key-history.ts";
import { precedes } from "./version-history.ts";
import type { VersionHistory } from "./version-history.ts";
import { quoted, wording } from "./wording.ts";

/**
 * I2: every write that was acknowledged and asked for durability is held in the end, or superseded:
 * by a version with a greater stamp (or the same one, which another tie-break decided) that is not
 * certainly older by times. Which replicas hold it is for `convergence` to say. Without dumps of the
 * replicas nothing is proven.
 */
export function durability(history: History): Finding {
  const evidence = new Evidence("durability");
  const { keys, replicas } = indexed(history);
  for (const key of keys.values()) {
    if (key.acknowledged.length === 0) continue;
    if (replicas.length === 0) evidence.undecided();
    else checkKey(key, evidence);
  }
  return evidence.finding();
}

function checkKey(key: KeyHistory, evidence: Evidence): void {
  const { final } = key;
  for (const version of key.acknowledged) {
    evidence.examine();
    const why = whyLost(version, final);
    if (why === undefined) continue;
    evidence.violation(
      key.key,
      [version.ackedBy, final?.version.ackedBy ?? final?.version.attempted],
      () => `${wording(version.ackedBy)} was acknowledged and is lost: ${why}.`,
    );
  }
}

function whyLost(version: VersionHistory, final: FinalRecord | undefined): string | undefined {
  if (final === undefined) return "no replica holds anything";
  if (final.version === version) return undefined;
  const { node, record } = final;
  const newest = `the newest that any replica holds is ${quoted(record.version)} at ${node}, stamp ${record.stamp}`;
  if (version.stamp !== undefined && record.stamp < version.stamp) return newest;
  if (precedes(final.version, version)) return `${newest}, acknowledged before this one was called`;
  return undefined;
}
