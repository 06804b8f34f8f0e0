/**
 * How many lines of one kind a log may get: `burst` at once and `perSecond` in the long run, so that
 * a cluster in trouble does not bury its other lines. Pure: the caller brings the time.
 */
export class LineBudget {
  readonly #perMs: number;
  readonly #burst: number;
  #saved: number;
  #savedAt: number | undefined;
  #suppressed = 0;

  constructor({ perSecond, burst }: { perSecond: number; burst: number }) {
    this.#perMs = perSecond / 1_000;
    this.#burst = burst;
    this.#saved = burst;
  }

  /**
   * @param now in milliseconds, never less than before.
   * @returns how many lines were suppressed since the last one; undefined: so is this one.
   */
  take(now: number): number | undefined {
    const earned = (now - (this.#savedAt ?? now)) * this.#perMs;
    this.#saved = Math.min(this.#burst, this.#saved + earned);
    this.#savedAt = now;
    if (this.#saved < 1) {
      this.#suppressed += 1;
      return undefined;
    }
    this.#saved -= 1;
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    return suppressed;
  }
}
