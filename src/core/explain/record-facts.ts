import { hash64 } from "../hash.ts";
import type { Stamp } from "../hlc.ts";
import type { WriteId } from "../ids.ts";
import { dotOf } from "../version/dot.ts";
import type { Dot } from "../version/dot.ts";
import { RECENT_ENTRY_BYTES } from "../version/recent.ts";
import { digestOf } from "../version/record.ts";
import type { KvRecord } from "../version/record.ts";
import { isExpired } from "../version/version.ts";
import type { Content, Version } from "../version/version.ts";

/** A clock that an expiry can be judged by: the replica's own, or that of the node that asks. */
export type Judge = "replica" | "coordinator";

/** What a replica holds, but for the value's bytes. */
export interface RecordFacts {
  readonly bytes: number;
  /** Of all that two records can differ by: equal where no merge would change either. */
  readonly digest: string;
  /** Writes that the record remembers, to know a retry of one again. */
  readonly recentWrites: number;
  readonly versions: readonly VersionFacts[];
}

export interface VersionFacts extends Dot {
  readonly writeId: WriteId;
  /** undefined: a tombstone. */
  readonly content: ContentFacts | undefined;
  readonly expiresAt: number | undefined;
  /** By whose clock it is over; nobody's while it lives. */
  readonly expiredBy: readonly Judge[];
}

interface ContentFacts {
  readonly bytes: number;
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
}

export type JudgeClocks = Readonly<Record<Judge, Stamp>>;

export function recordFacts(record: KvRecord, clocks: JudgeClocks): RecordFacts {
  return {
    bytes: record.bytes.byteLength,
    digest: hash64(digestOf(record)),
    recentWrites: record.recent.byteLength / RECENT_ENTRY_BYTES,
    versions: versionsOf(record).map((version) => versionFacts(version, clocks)),
  };
}

/** All versions that a record holds. */
export function versionsOf(record: KvRecord | undefined): readonly Version[] {
  return record?.versions ?? [];
}

export function dotsOf(record: KvRecord | undefined): readonly Dot[] {
  return versionsOf(record).map(dotOf);
}

function versionFacts(version: Version, clocks: JudgeClocks): VersionFacts {
  const { actor, stamp, writeId, content, expiresAt } = version;
  const judges = ["replica", "coordinator"] as const;
  return {
    actor,
    stamp,
    writeId,
    content: content === undefined ? undefined : contentFacts(content),
    expiresAt,
    expiredBy: judges.filter((judge) => isExpired(version, clocks[judge])),
  };
}

function contentFacts({ value, contentType, contentEncoding }: Content): ContentFacts {
  return { bytes: value.byteLength, contentType, contentEncoding };
}
