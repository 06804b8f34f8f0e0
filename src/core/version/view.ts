import { msOfStamp } from "../hlc.ts";
import type { Stamp } from "../hlc.ts";
import type { KvRecord } from "./record.ts";
import { isExpired } from "./version.ts";
import type { Version } from "./version.ts";
import { writeIdentity } from "./write-identity.ts";

const MS_PER_SECOND = 1_000;

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
 * What a reader is shown of a record at this reading of the clock. Two versions of one write id and of
 * one content are two attempts of one write and shown as one; in the record, and in its context, both
 * stay until a write that has seen them supersedes them.
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

/** Whether a reader finds a value, or several, at this reading of the clock. */
export function isLive({ versions }: KvRecord, clock: Stamp): boolean {
  return versions.some((version) => isAlive({ version, expired: isExpired(version, clock) }));
}

function isAlive({ version, expired }: VersionView): boolean {
  return version.content !== undefined && !expired;
}

/** Newest first, each write once. */
function folded(versions: readonly Version[]): readonly Version[] {
  const newestFirst = versions.toSorted(
    (a, b) => b.stamp - a.stamp || (a.actor < b.actor ? 1 : -1),
  );
  return newestFirst.filter(
    (version, at) => !newestFirst.slice(0, at).some((newer) => isSameWrite(newer, version)),
  );
}

/** One id with two contents is a mistake of clients, and no reason to hide what was acknowledged. */
function isSameWrite(a: Version, b: Version): boolean {
  return a.writeId === b.writeId && contentHashOf(a) === contentHashOf(b);
}

function contentHashOf({ writeId, content, stamp, expiresAt }: Version): number {
  const ttlSeconds =
    expiresAt === undefined ? undefined : (expiresAt - msOfStamp(stamp)) / MS_PER_SECOND;
  return writeIdentity({ writeId, content, ttlSeconds }).contentHash;
}
