/** Q: the hash space is cut into this many fixed slices (Dynamo, SOSP 2007, section 6.2, strategy 3). */
export const PARTITION_COUNT = 256;

/** The top 8 bits of a 32-bit hash. */
export function partitionOf(hash: number): number {
  return hash >>> 24;
}
