import type { BlindWrites } from "../core/bucket.ts";

/** One of the versions beside each other that a get was shown, or that a replica holds. */
export interface SeenSibling {
  readonly version: string;
  /** Names one minted version of the key: a write of several attempts may have several. */
  readonly dot: string;
  readonly stamp: number;
  readonly expiresAt: number | undefined;
  readonly expired: boolean;
}

/** What more there is to an operation on a key of a bucket that keeps siblings. */
export interface Causality {
  readonly blindWrites: BlindWrites;
  readonly siblingsMax: number;
  /** Of a write: the context that came with it; undefined: none, it was blind. */
  readonly sent: string | undefined;
  /** The context that the answer came with. Equal texts are equal contexts, if of one key. */
  readonly context: string | undefined;
  /** Of a get, in place of the one `version`. */
  readonly siblings: readonly SeenSibling[];
}

/** One client operation, as its client saw it. Times are instants of ONE clock, any unit. */
export interface Operation {
  readonly client: number;
  readonly key: string;
  readonly kind: "put" | "delete" | "get";
  readonly call: number;
  /** When the answer came; undefined: none came. */
  readonly end: number | undefined;
  /**
   * ok: acknowledged, or answered. not-applied: proven without effect. unknown: may take effect at
   * any time after the call, or never.
   */
  readonly outcome: "ok" | "not-applied" | "unknown";
  /**
   * put, delete: identity of the write, its write id and its content; its attempts share it. get, ok:
   * identity of the write that was read, a tombstone's included; undefined: nothing was ever known.
   * With the stamp it is the identity of a version: a write of several attempts may become several.
   */
  readonly version: string | undefined;
  /** The version's stamp where the API told it, be it with an error. */
  readonly stamp: number | undefined;
  /** When the version expires, on the clock of `call`, where it is known. */
  readonly expiresAt: number | undefined;
  /** Of a get: the version was there and counted as absent, because it had expired. */
  readonly expired: boolean;
  /** Sizes that held for this request: of a get its own R, of a write its own W, the other the bucket's. */
  readonly n: number;
  readonly r: number;
  readonly w: number;
  readonly durability: "sync" | "async";
  /** Only in a bucket that keeps siblings. */
  readonly causality?: Causality | undefined;
}

/** What one replica holds of one key. */
export interface ReplicaRecord {
  readonly version: string;
  readonly stamp: number;
  readonly tombstone: boolean;
  /** Of all bytes of the record. */
  readonly digest: string;
  /** Of a bucket that keeps siblings, in place of `version`, which then only names the record. */
  readonly siblings?: readonly SeenSibling[] | undefined;
}

/** All that one node holds in the end, by key. */
export interface ReplicaState {
  readonly node: string;
  readonly records: ReadonlyMap<string, ReplicaRecord>;
}

/** What a run leaves behind, and all that a checker may look at. */
export interface History {
  readonly operations: readonly Operation[];
  /** Dumped after the faults had stopped and every key had been read at R = N through every node. */
  readonly replicas: readonly ReplicaState[];
}

/** `unknown` is no pass: the checker could not decide. */
export type Verdict = "true" | "false" | "unknown";

/** One broken promise, with no more of the history than proves it. */
export interface Violation {
  readonly key: string;
  readonly sentence: string;
  readonly operations: readonly Operation[];
}

export interface Finding {
  readonly checker: string;
  readonly verdict: Verdict;
  /** Empty unless the verdict is `false`; at most the first few. */
  readonly violations: readonly Violation[];
  /** How many cases the promise was held against: with none, `true` says nothing. */
  readonly examined: number;
}

/** Total: whatever the history, it returns. Pure: the same history, the same finding. */
export type Checker = (history: History) => Finding;
