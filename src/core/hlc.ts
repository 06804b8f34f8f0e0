import { assert } from "./assert.ts";

/**
 * A hybrid logical clock reading in one safe integer: wall milliseconds × 2048 + counter
 * (Kulkarni et al., "Logical Physical Clocks", 2014). Larger is later; safe until the year 2109.
 */
export type Stamp = number & { readonly __brand: "Stamp" };

export const STAMPS_PER_MS = 2048;
/** Below every stamp that a clock mints; a replica that holds nothing answers it. */
export const NO_STAMP = 0 as Stamp;

export function stampOfMs(ms: number): Stamp {
  return (Math.floor(ms) * STAMPS_PER_MS) as Stamp;
}

export function msOfStamp(stamp: Stamp): number {
  return Math.floor(stamp / STAMPS_PER_MS);
}

export function isStamp(value: number): value is Stamp {
  return Number.isSafeInteger(value) && value >= 0;
}

/** One node's clock: strictly monotonic, whatever the wall clock does. */
export class Hlc {
  #last: Stamp;

  /** @param notBefore nothing at or below it is minted: what an earlier run of this node may have used. */
  constructor(notBefore: Stamp = NO_STAMP) {
    this.#last = notBefore;
  }

  get last(): Stamp {
    return this.#last;
  }

  mint(wallMs: number): Stamp {
    const wall = stampOfMs(wallMs);
    this.#last = (wall > this.#last ? wall : this.#last + 1) as Stamp;
    assert(Number.isSafeInteger(this.#last), "stamps are exhausted");
    return this.#last;
  }
}

/**
 * The stamp of a write whose learn round saw `newest`: above both, so that non-overlapping
 * acknowledged writes are ordered as they happened under any clock skew (I5). A stamp above the own
 * clock holds for this key only and does not drag the clock along.
 */
export function stampAfter({ own, newest }: { own: Stamp; newest: Stamp }): Stamp {
  assert(newest < Number.MAX_SAFE_INTEGER, "stamps are exhausted");
  return own > newest ? own : ((newest + 1) as Stamp);
}
