import type { Stamp } from "../hlc.ts";
import type { KvRecord } from "./record.ts";
import { isExpired } from "./version.ts";
import type { Version } from "./version.ts";

/** One version as a reader sees it; an expired one counts as a delete. */
interface VersionView {
  readonly version: Version;
  readonly expired: boolean;
}

export interface RecordView {
  /** The only one; of several that are all dead the newest; else undefined. */
  readonly version: Version | undefined;
  readonly expired: boolean;
  /** All of a siblings record, newest first. */
  readonly siblings: readonly VersionView[];
}

/**
 * What a reader is shown of a record at this reading of the clock. Two versions of one write id are two
 * attempts of one write and shown as one; in the record, and in its context, both stay until a write
 * that has seen them supersedes them.
 */
export function viewOf(record: KvRecord | undefined, clock: Stamp): RecordView {
  if (record === undefined) return { version: undefined, expired: false, siblings: [] };
  const views = folded(record.versions).map((version) => ({
    version,
    expired: isExpired(version, clock),
  }));
  const siblings = record.mode === "siblings" ? views : [];
  const [newest, ...others] = views;
  if (newest === undefined || (others.length > 0 && views.some(isAlive))) {
    return { version: undefined, expired: false, siblings };
  }
  return { ...newest, siblings };
}

function isAlive({ version, expired }: VersionView): boolean {
  return version.content !== undefined && !expired;
}

/** Newest first, each write id once. */
function folded(versions: readonly Version[]): readonly Version[] {
  const newestFirst = versions.toSorted(
    (a, b) => b.stamp - a.stamp || (a.actor < b.actor ? 1 : -1),
  );
  const known = new Set<string>();
  return newestFirst.filter(({ writeId }) => !known.has(writeId) && known.add(writeId));
}
