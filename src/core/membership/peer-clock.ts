/** How far a peer's wall clock is ahead of the own one. The truth is within `errorMs` of it. */
export interface ClockOffset {
  readonly offsetMs: number;
  readonly errorMs: number;
}

/** One question and its answer, on the asking node's monotonic clock. */
export interface ClockSample {
  readonly sentAt: number;
  readonly answeredAt: number;
  /** The peer's wall clock somewhere in between. */
  readonly wallMs: number;
}

interface Reading {
  /** The peer's wall clock less the own monotonic one. */
  readonly aheadMs: number;
  readonly errorMs: number;
}

const WINDOW = 5;
/** A question that took longer tells too little. */
const ROUND_TRIP_MS_MAX = 250;
/** Wall clocks are read in whole milliseconds. */
const GRANULARITY_MS = 1;

/**
 * What one peer's wall clock shows, as Cristian measured clocks (Distributed Computing, 1989): read
 * in the middle of the question's flight, give or take half of it. It is kept against the monotonic
 * clock, so a jump of the own wall clock shows at once, and so does its correction.
 */
export class PeerClock {
  readonly #readings: Reading[] = [];
  /** Of the readings: one that was held up on one way only changes nothing. */
  #median: Reading | undefined;

  add({ sentAt, answeredAt, wallMs }: ClockSample): void {
    const roundTripMs = answeredAt - sentAt;
    if (roundTripMs > ROUND_TRIP_MS_MAX) return;
    this.#readings.push({
      aheadMs: wallMs - (sentAt + roundTripMs / 2),
      errorMs: roundTripMs / 2 + GRANULARITY_MS,
    });
    if (this.#readings.length > WINDOW) this.#readings.shift();
    const sorted = this.#readings.toSorted((a, b) => a.aheadMs - b.aheadMs);
    this.#median = sorted[Math.floor(sorted.length / 2)];
  }

  offset(own: { readonly wallMs: number; readonly now: number }): ClockOffset | undefined {
    const median = this.#median;
    if (median === undefined) return undefined;
    return { offsetMs: median.aheadMs - (own.wallMs - own.now), errorMs: median.errorMs };
  }
}
