import { RecentTimes } from "../recent-times.ts";

/**
 * `silent`: the peer owes answers and has given none for longer than its past explains. `late`: it
 * answers, but not always, or not in time.
 */
export type Standing = "trusted" | "late" | "silent";

export interface SuspicionOptions {
  readonly peerSuspectAfterMinMs: number;
  readonly peerSuspectAfterMaxMs: number;
}

const WINDOW = 64;
/** Of fewer answers nothing is concluded: the longest patience applies. */
const SAMPLES_LEAST = 8;
/**
 * Standard deviations above the mean at which an answer is overdue: φ = 8 for a normal distribution
 * (Hayashibara et al., "The φ Accrual Failure Detector", 2004).
 */
const OVERDUE_DEVIATIONS = 5.6;
/** Answers that took equally long so far may all the same vary by so much of their mean. */
const DEVIATION_LEAST_SHARE = 0.25;
/** A peer that was late is asked after others for so long: it may answer heartbeats and no reads. */
const LATE_MS = 5_000;

/**
 * Judges one peer on one connection by the requests that it leaves unanswered, heartbeats and
 * operations alike: a peer that is asked nothing owes nothing. Times are the caller's monotonic
 * milliseconds. Being wrong costs time, never truth.
 */
export class Suspicion {
  readonly #options: SuspicionOptions;
  readonly #times = new RecentTimes(WINDOW);
  /** When each unanswered request was sent; oldest first. */
  readonly #unanswered = new Map<number, number>();
  #nextId = 0;
  /** Since when the peer has owed an answer and said nothing. */
  #silentSince: number | undefined;
  #silent = false;
  #lateUntil = Number.NEGATIVE_INFINITY;
  /** What was sent before was held up by something that is over, and says nothing of now. */
  #judgedSince = Number.NEGATIVE_INFINITY;

  constructor(options: SuspicionOptions) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#unanswered.size;
  }

  get isSilent(): boolean {
    return this.#silent;
  }

  /** @returns the name of this request for what becomes of it. */
  sent(now: number): number {
    const id = this.#nextId;
    this.#nextId += 1;
    this.#unanswered.set(id, now);
    this.#silentSince ??= now;
    return id;
  }

  /** The request never left: the peer owes nothing for it. */
  unsent(id: number): void {
    const sentAt = this.#unanswered.get(id);
    this.#unanswered.delete(id);
    if (this.#unanswered.size === 0 && this.#silentSince === sentAt) this.#silentSince = undefined;
  }

  answered(id: number, now: number): void {
    const sentAt = this.#unanswered.get(id);
    if (sentAt === undefined) return;
    this.#unanswered.delete(id);
    this.#silentSince = this.#unanswered.size > 0 ? now : undefined;
    if (this.#silent) {
      this.#silent = false;
      this.#judgedSince = now;
      return;
    }
    if (sentAt < this.#judgedSince) return;
    this.#times.add(now - sentAt);
    if (now - sentAt > this.#options.peerSuspectAfterMaxMs) this.#lateUntil = now + LATE_MS;
  }

  /** Nobody waits for its answer any more; it is owed all the same. */
  ended(id: number, now: number): void {
    const sentAt = this.#unanswered.get(id);
    if (sentAt === undefined) return;
    this.#unanswered.delete(id);
    if (this.#silent || sentAt < this.#judgedSince) return;
    if (now - sentAt > this.patienceMs()) this.#lateUntil = now + LATE_MS;
  }

  /** This node itself was held up for so long: the peer's silence in that time was not the peer's. */
  excuse(heldUpMs: number, now: number): void {
    if (this.#silentSince !== undefined) {
      this.#silentSince = Math.min(now, this.#silentSince + heldUpMs);
    }
    this.#judgedSince = now;
  }

  /** To be called often: between two calls no suspicion arises. */
  judge(now: number): void {
    if (this.#silentSince !== undefined && now - this.#silentSince > this.patienceMs()) {
      this.#silent = true;
    }
    // Silence is judged by what comes after it: whoever returns is trusted again.
    if (this.#silent) return;
    const oldest = this.#oldest();
    if (oldest !== undefined && now - oldest > this.#options.peerSuspectAfterMaxMs) {
      this.#lateUntil = now + LATE_MS;
    }
  }

  standing(now: number): Standing {
    if (this.#silent) return "silent";
    return now < this.#lateUntil ? "late" : "trusted";
  }

  /** How long an answer may take before it is overdue. */
  patienceMs(): number {
    const { peerSuspectAfterMinMs, peerSuspectAfterMaxMs } = this.#options;
    if (this.#times.count < SAMPLES_LEAST) return peerSuspectAfterMaxMs;
    const mean = this.#times.mean();
    const deviation = Math.max(this.#times.deviation(), mean * DEVIATION_LEAST_SHARE);
    const overdue = mean + OVERDUE_DEVIATIONS * deviation;
    return Math.min(peerSuspectAfterMaxMs, Math.max(peerSuspectAfterMinMs, overdue));
  }

  #oldest(): number | undefined {
    for (const sentAt of this.#unanswered.values()) {
      if (sentAt >= this.#judgedSince) return sentAt;
    }
    return undefined;
  }
}
