import { parseBucketName } from "./ids.ts";
import type { BucketName } from "./ids.ts";

/** How versions of one key become one record; fixed when the bucket is created. */
export type Mode = "lww" | "siblings";
/**
 * What a write without a causal context does in a `siblings` bucket. `overwrite`: supersedes what is
 * there when it begins. `sibling`: stands beside it. `refuse`: is refused.
 */
export type BlindWrites = "overwrite" | "sibling" | "refuse";
/** `sync`: acknowledged after fsync on W replicas. `async`: after the write to W operating systems. */
export type Durability = "sync" | "async";

/**
 * What becomes of a read whose replicas disagree. `blocking`: it answers once the newest version cannot
 * be missed by later reads. `background`: it answers at once, and a later read may go back.
 */
export type ReadRepair = "blocking" | "background";

export interface BucketProperties {
  readonly mode: Mode;
  /** N: replicas of each key. */
  readonly n: number;
  /** R: replicas that must answer a read. */
  readonly r: number;
  /** W: replicas that must acknowledge a write. */
  readonly w: number;
  readonly durability: Durability;
  readonly readRepair: ReadRepair;
  /** Life of versions whose write names none, in seconds; undefined: they stay. */
  readonly ttlSeconds: number | undefined;
  readonly valueBytesMax: number;
  /** Of `siblings` buckets. */
  readonly blindWrites: BlindWrites;
  /** Of `siblings` buckets: a write that would leave more siblings of its key is refused. */
  readonly siblingsMax: number;
}

export const DEFAULT_BUCKET: BucketName = parseBucketName("default");
export const VALUE_BYTES_MAX = 1024 * 1024;
export const SIBLINGS_MAX = 32;

export function majority(n: number): number {
  return Math.floor(n / 2) + 1;
}
