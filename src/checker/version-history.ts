import type { Operation, ReplicaRecord } from "./history.ts";

/**
 * All that a history tells of one version of one key. An `id` of undefined stands for "nothing was
 * ever known", which every key begins with: it counts as written everywhere before all else.
 */
export class VersionHistory {
  readonly id: string | undefined;
  readonly attempts: Operation[] = [];
  /** The gets that returned it. */
  readonly reads: Operation[] = [];
  /** Earliest call of any attempt. */
  attemptedAt = Infinity;
  /** The earliest called of the attempts that were not proven without effect, and its call. */
  written: Operation | undefined;
  call = -Infinity;
  /** How many such attempts there are. */
  effective = 0;
  /** End of the earliest acknowledgement. */
  ackedAt = Infinity;
  ackedBy: Operation | undefined;
  /** W of that acknowledgement: so many replicas hold the version or something newer. */
  w = 0;
  /** {@link learnsFrom} of its attempts, the greatest: any of them may have minted it. */
  learnsFrom = 0;
  /** No attempt renounced durability: what power loss may take is not promised to be seen again. */
  sync = true;
  stamp: number | undefined;
  stampedBy: Operation | undefined;

  constructor(id: string | undefined) {
    this.id = id;
    if (id !== undefined) return;
    this.ackedAt = -Infinity;
    this.w = Infinity;
    this.stamp = -Infinity;
  }

  attempt(operation: Operation): void {
    const { call, end, outcome, w } = operation;
    this.attempts.push(operation);
    if (call < this.attemptedAt) this.attemptedAt = call;
    if (outcome === "not-applied") return;
    if (this.written === undefined || call < this.call) {
      this.written = operation;
      this.call = call;
    }
    this.effective += 1;
    this.learnsFrom = Math.max(this.learnsFrom, learnsFrom(operation));
    if (operation.durability === "async") this.sync = false;
    if (outcome === "ok" && (end ?? Infinity) < this.ackedAt) {
      this.ackedAt = end ?? Infinity;
      this.ackedBy = operation;
      this.w = w;
    }
    this.#tellStamp(operation);
  }

  /**
   * When this very version is known to have been acknowledged. Where several attempts share it and
   * nobody was told a stamp it may be two versions, of which any one was.
   */
  get settledAt(): number {
    return this.effective > 1 && this.stamp === undefined ? Infinity : this.ackedAt;
  }

  /** Whoever attempted it first, for evidence. */
  get attempted(): Operation | undefined {
    return this.written ?? this.attempts[0];
  }

  read(operation: Operation): void {
    this.reads.push(operation);
    this.#tellStamp(operation);
  }

  hold(record: ReplicaRecord): void {
    this.stamp ??= record.stamp;
  }

  #tellStamp(operation: Operation): void {
    if (this.stamp !== undefined || operation.stamp === undefined) return;
    this.stamp = operation.stamp;
    this.stampedBy = operation;
  }
}

/**
 * The least W with which an earlier write must have been acknowledged for the learn round of this
 * attempt to be certain to meet it: L + W > N with L = N + 1 − min(R, W). Infinity: no W suffices, the
 * request asks for R + W ≤ N and may learn from fewer than L.
 */
export function learnsFrom({ n, r, w }: Operation): number {
  return r + w > n ? Math.min(r, w) : Infinity;
}

/**
 * Whether `earlier` is certainly older than `later`, by times alone (I5): it was acknowledged before
 * the other was called, so the other's learn round met it and stamped above it. That the later write
 * was acknowledged in turn is not needed: it minted after it had learned.
 */
export function precedes(earlier: VersionHistory, later: VersionHistory): boolean {
  return earlier.sync && earlier.settledAt < later.call && earlier.w >= later.learnsFrom;
}
