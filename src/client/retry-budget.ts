/**
 * Bounds what retries add to the load of a cluster in trouble: every call earns a fraction of a
 * retry, every retry spends one, and savings end at `burst`.
 */
export class RetryBudget {
  readonly #ratio: number;
  readonly #burst: number;
  #saved: number;

  constructor({ ratio, burst }: { ratio: number; burst: number }) {
    this.#ratio = ratio;
    this.#burst = burst;
    this.#saved = burst;
  }

  earn(): void {
    this.#saved = Math.min(this.#burst, this.#saved + this.#ratio);
  }

  /** @returns false when nothing is left: the call fails with what it knows. */
  spend(): boolean {
    if (this.#saved < 1) return false;
    this.#saved -= 1;
    return true;
  }
}
