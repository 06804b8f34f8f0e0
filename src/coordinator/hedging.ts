import { RecentTimes } from "../core/recent-times.ts";

export interface HedgingOptions {
  /** The longest wait, and the one before enough answers were timed. */
  readonly spareDelayMs: number;
  readonly spareDelayMinMs: number;
}

/** The share of first tries that are slower than the delay when nothing is wrong. */
const SLOW_SHARE = 0.01;
const WINDOW = 512;
const SAMPLES_LEAST = 100;
/** Answers between two looks at the window. */
const SAMPLES_PER_LOOK = 32;
/** Further requests per round that begins: hedging must not double the load of a slow cluster. */
const BUDGET_PER_ROUND = 0.05;
const BUDGET_MAX = 10;

/**
 * When a round asks a further replica in place of a silent one, and how often a node may do so. The
 * delay follows the answers of first tries alone: those of hedged ones are quick by construction and
 * would draw it ever further down.
 */
export class Hedging {
  readonly #options: HedgingOptions;
  readonly #times = new RecentTimes(WINDOW);
  #looksIn = SAMPLES_LEAST;
  #delayMs: number;
  #budget = BUDGET_MAX;

  constructor(options: HedgingOptions) {
    this.#options = options;
    this.#delayMs = options.spareDelayMs;
  }

  /** How long a replica may be silent before a round is hedged. */
  get delayMs(): number {
    return this.#delayMs;
  }

  /** A round begins that may be hedged. */
  begun(): void {
    this.#budget = Math.min(BUDGET_MAX, this.#budget + BUDGET_PER_ROUND);
  }

  /** A remote replica that was asked in the first place has answered, however late. */
  answered(tookMs: number): void {
    this.#times.add(tookMs);
    this.#looksIn -= 1;
    if (this.#looksIn > 0) return;
    this.#looksIn = SAMPLES_PER_LOOK;
    const { spareDelayMinMs, spareDelayMs } = this.#options;
    const slowMs = this.#times.quantile(1 - SLOW_SHARE);
    this.#delayMs = Math.min(spareDelayMs, Math.max(spareDelayMinMs, slowMs));
  }

  /** @returns whether the budget has room for one further request, and takes it. */
  take(): boolean {
    if (this.#budget < 1) return false;
    this.#budget -= 1;
    return true;
  }
}
