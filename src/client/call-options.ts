import type { Durability } from "../core/bucket.ts";
import type { SiblingContent } from "./reading.ts";

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

export interface RepairOptions extends CallOptions {
  readonly r?: QuorumChoice | undefined;
}

export interface GetOptions extends RepairOptions {
  /** One of several siblings, as an answer of siblings named it. */
  readonly version?: string | undefined;
}

export interface ListOptions extends CallOptions {
  readonly r?: QuorumChoice | undefined;
  /** What the keys begin with, text or bytes. */
  readonly prefix?: string | Uint8Array | undefined;
  /** Keys of one page, 1 to 1,000, which is the default. */
  readonly pageLimit?: number | undefined;
  /** Of an earlier page of the same bucket and prefix: to go on behind it. */
  readonly cursor?: string | undefined;
}

export interface DeleteOptions extends CallOptions {
  readonly w?: QuorumChoice | undefined;
  readonly durability?: Durability | undefined;
  /** Repeats an earlier write instead of making a new one. */
  readonly writeId?: string | undefined;
  /** What an answer about this very key carried: the write supersedes what that answer told, no more. */
  readonly context?: string | undefined;
}

export interface PutOptions extends DeleteOptions {
  readonly contentType?: string | undefined;
  readonly contentEncoding?: string | undefined;
  /** Whole seconds until the value counts as absent; the bucket's unless given. */
  readonly ttlSeconds?: number | undefined;
}

/** What becomes of a key: its new value; `null` deletes it; `undefined` leaves it as it is. */
export type Merged = string | Uint8Array | null | undefined;

/**
 * Makes one of what is there: nothing, one value, or several that are concurrent, in no order to rely
 * on. It may be called several times.
 */
export type Merge = (siblings: readonly SiblingContent[]) => Merged | Promise<Merged>;

export interface UpdateOptions extends Omit<PutOptions, "writeId" | "context"> {
  readonly r?: QuorumChoice | undefined;
  /** Times that the key is read and merged, at most. Default 4. */
  readonly roundsMax?: number | undefined;
}
