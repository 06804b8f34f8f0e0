import type { BucketProperties, Durability } from "../core/bucket.ts";
import type { Explanation } from "../core/explain/explanation.ts";
import type { KvError, Outcome } from "../core/errors.ts";
import type { Stamp } from "../core/hlc.ts";
import type { BucketName, Key, WriteId } from "../core/ids.ts";
import type { Epoch, Member } from "../core/layout/layout.ts";
import type { Content, Version, VersionIdentity } from "../core/version/version.ts";

/** A quorum as a request asks for it. */
export type QuorumChoice = number | "one" | "quorum" | "all";

export interface ReadRequest {
  /** For the log. */
  readonly requestId?: string | undefined;
  readonly bucket: BucketName;
  readonly key: Key;
  /** R; the bucket's unless given. */
  readonly r: QuorumChoice | undefined;
  readonly timeoutMs: number | undefined;
}

export interface WriteRequest {
  /** For the log. */
  readonly requestId?: string | undefined;
  readonly bucket: BucketName;
  readonly key: Key;
  /** undefined deletes: a tombstone is written. */
  readonly content: Content | undefined;
  /** W; the bucket's unless given. */
  readonly w: QuorumChoice | undefined;
  readonly timeoutMs: number | undefined;
  readonly durability: Durability | undefined;
  /** Seconds until the version counts as absent; the bucket's unless given. Not for deletes. */
  readonly ttlSeconds: number | undefined;
  /** Minted unless the client named one. */
  readonly writeId: WriteId | undefined;
  /** Of a siblings bucket: the token of what the client has seen of the key. */
  readonly context?: string | undefined;
  /** 2 or more: an earlier attempt of this write may have reached a node. */
  readonly attempt: number;
}

/** How an operation came to its answer. */
export interface QuorumFacts {
  readonly needed: number;
  readonly acked: number;
  /** Number of the epoch under which the answers count. */
  readonly epoch: number;
}

/** One of the concurrent versions of a key. */
export interface SiblingView {
  readonly version: Version;
  /** It is over, and counts as a delete. */
  readonly expired: boolean;
}

export interface ReadResult {
  /**
   * undefined: R replicas know of nothing. A tombstone is a version without content. Of a siblings
   * bucket the only one, or, when all are dead, the newest.
   */
  readonly version: Version | undefined;
  /** The version is over: the key counts as absent. */
  readonly expired: boolean;
  /** All concurrent versions of a siblings bucket, attempts of one write shown as one; newest first. */
  readonly siblings: readonly SiblingView[];
  /** Of a siblings bucket: the token of all that this answer tells. */
  readonly context: string | undefined;
  readonly quorum: QuorumFacts;
}

export interface WriteResult {
  /** Of the version that was written, by this attempt or, if it was known already, by an earlier one. */
  readonly version: VersionIdentity;
  /** Of a siblings bucket: the token of what the client has seen by now, this write among it if that can be said. */
  readonly context: string | undefined;
  readonly quorum: QuorumFacts;
}

export interface ListRequest {
  readonly bucket: BucketName;
  /** What the keys begin with; empty: all of the bucket. */
  readonly prefix: Uint8Array;
  /** Of an earlier page of this bucket and prefix; undefined: the first page. */
  readonly cursor: string | undefined;
  /** Keys of one page, at most {@link LIST_LIMIT_MAX}. */
  readonly limit: number;
  /** R; the bucket's unless given. */
  readonly r: QuorumChoice | undefined;
  readonly timeoutMs: number | undefined;
}

export const LIST_LIMIT_MAX = 1_000;

export interface ListResult {
  /** In byte order. Fewer than `limit` do not say that there are no more: the cursor does. */
  readonly keys: readonly Key[];
  /** For the next page; undefined: this was the last one. */
  readonly cursor: string | undefined;
  readonly quorum: QuorumFacts;
}

/** One operation of a batch. The time is the batch's. */
export type BatchItem =
  | ({ readonly kind: "read" } & Omit<ReadRequest, "timeoutMs">)
  | ({ readonly kind: "write" } & Omit<WriteRequest, "timeoutMs">);

export interface BatchRequest {
  /** At most {@link BATCH_ITEMS_MAX}. */
  readonly items: readonly BatchItem[];
  /** Of all of them together. */
  readonly timeoutMs: number | undefined;
}

export const BATCH_ITEMS_MAX = 256;

export type BatchResult =
  | { readonly kind: "read"; readonly result: ReadResult }
  | { readonly kind: "write"; readonly result: WriteResult }
  | { readonly kind: "failed"; readonly error: KvError };

/** Where a key lives; known without asking anybody. */
export interface Placement {
  readonly partition: number;
  readonly epoch: Epoch;
  readonly properties: BucketProperties;
  /** Its N replicas, in order. */
  readonly preferenceList: readonly Member[];
}

export interface ExplainRequest {
  /** For the log. */
  readonly requestId?: string | undefined;
  readonly bucket: BucketName;
  readonly key: Key;
  readonly timeoutMs: number | undefined;
}

export interface ExplainResult extends Explanation {
  /** Of the node that asked, when all had answered. */
  readonly clock: Stamp;
}

/**
 * What the edges ask of a node. Absence is a value; every refusal is a KvError whose outcome is
 * true. Both reject before any work when the node is at its limit (`overloaded`).
 */
export interface Operations {
  read(request: ReadRequest): Promise<ReadResult>;
  write(request: WriteRequest): Promise<WriteResult>;
  /** One page of a bucket's live keys, all that is between it and the next one vouched for by R. */
  list(request: ListRequest): Promise<ListResult>;
  /** Each as if it had been asked for alone, in no order; one result an item, in the items' order. */
  batch(request: BatchRequest): Promise<readonly BatchResult[]>;
  /**
   * Reads and writes wait for it themselves.
   * @returns undefined unless this node knows of newer buckets than it has; else when it has them.
   * @throws KvError `starting-or-draining` of this outcome when they do not come
   */
  caughtUp(outcome: Outcome): Promise<void> | undefined;
  locate(bucket: BucketName, key: Key): Placement;
  /** What every replica holds at the moment. It needs no quorum and so promises nothing. */
  explain(request: ExplainRequest): Promise<ExplainResult>;
}
