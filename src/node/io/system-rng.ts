import { randomFillSync } from "node:crypto";
import type { Rng } from "../../ports/rng.ts";

const POOL_BYTES = 4096;

/** The operating system's randomness, fetched a page at a time. */
export function systemRng(): Rng {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  const take = (count: number): Uint8Array => {
    if (count > POOL_BYTES) return randomFillSync(new Uint8Array(count));
    if (used + count > POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    used += count;
    return pool.slice(used - count, used);
  };
  return {
    bytes: take,
    fraction() {
      const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = take(6);
      return (((((a / 256 + b) / 256 + c) / 256 + d) / 256 + e) / 256 + f) / 256;
    },
  };
}
