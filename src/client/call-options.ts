import type { Durability } from "../core/bucket.ts";

/** A quorum of the bucket's N replicas. */
export type QuorumChoice = number | "one" | "quorum" | "all";

/** Of every call that asks one node about itself. */
export interface AskOptions {
  readonly timeoutMs?: number | undefined;
  /** Rejects with the signal's reason. A write that was on its way may still be applied. */
  readonly signal?: AbortSignal | undefined;
}

export interface CallOptions extends AskOptions {
  /** Default `default`. */
  readonly bucket?: string | undefined;
}

export interface GetOptions extends CallOptions {
  readonly r?: QuorumChoice | undefined;
}

export interface DeleteOptions extends CallOptions {
  readonly w?: QuorumChoice | undefined;
  readonly durability?: Durability | undefined;
  /** Repeats an earlier write instead of making a new one. */
  readonly writeId?: string | undefined;
}

export interface PutOptions extends DeleteOptions {
  readonly contentType?: string | undefined;
  readonly contentEncoding?: string | undefined;
  /** Whole seconds until the value counts as absent; the bucket's unless given. */
  readonly ttlSeconds?: number | undefined;
}
