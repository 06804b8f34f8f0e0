import type { Durability } from "../core/bucket.ts";
import type { BucketName, Key, WriteId } from "../core/ids.ts";
import type { Content, Version } from "../core/version/version.ts";

/** A quorum as a request asks for it. */
export type QuorumChoice = number | "one" | "quorum" | "all";

export interface ReadRequest {
  readonly bucket: BucketName;
  readonly key: Key;
  /** R; the bucket's unless given. */
  readonly r: QuorumChoice | undefined;
  readonly timeoutMs: number | undefined;
}

export interface WriteRequest {
  readonly bucket: BucketName;
  readonly key: Key;
  /** undefined deletes: a tombstone is written. */
  readonly content: Content | undefined;
  /** W; the bucket's unless given. */
  readonly w: QuorumChoice | undefined;
  readonly timeoutMs: number | undefined;
  readonly durability: Durability | undefined;
  /** Minted unless the client named one. */
  readonly writeId: WriteId | undefined;
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

export interface ReadResult {
  /** undefined: R replicas know of nothing. A tombstone is a version without content. */
  readonly version: Version | undefined;
  readonly quorum: QuorumFacts;
}

export interface WriteResult {
  readonly version: Version;
  readonly quorum: QuorumFacts;
}

/**
 * What the edges ask of a node. Absence is a value; every refusal is a KvError whose outcome is
 * true. Both reject before any work when the node is at its limit (`overloaded`).
 */
export interface Operations {
  read(request: ReadRequest): Promise<ReadResult>;
  write(request: WriteRequest): Promise<WriteResult>;
}
