import { assert } from "./assert.ts";

/** The durations measured last, in milliseconds; older ones make room. */
export class RecentTimes {
  readonly #times: number[] = [];
  readonly #max: number;
  #oldest = 0;

  constructor(max: number) {
    assert(max >= 1, "a window has room");
    this.#max = max;
  }

  get count(): number {
    return this.#times.length;
  }

  add(ms: number): void {
    if (this.#times.length < this.#max) {
      this.#times.push(ms);
      return;
    }
    this.#times[this.#oldest] = ms;
    this.#oldest = (this.#oldest + 1) % this.#max;
  }

  mean(): number {
    assert(this.count > 0, "there is something to take the mean of");
    return this.#times.reduce((sum, ms) => sum + ms, 0) / this.count;
  }

  /** Standard deviation. */
  deviation(): number {
    const mean = this.mean();
    const squares = this.#times.reduce((sum, ms) => sum + (ms - mean) ** 2, 0);
    return Math.sqrt(squares / this.count);
  }

  /** The smallest of them that `share` of them do not exceed. */
  quantile(share: number): number {
    assert(this.count > 0 && share > 0 && share <= 1, "a quantile of something");
    const sorted = this.#times.toSorted((a, b) => a - b);
    return sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
  }
}
