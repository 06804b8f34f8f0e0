/**
 * Places where production code can be made to take a rare but legal path, so that a simulation
 * reaches states that chance alone rarely brings about (after FoundationDB's BUGGIFY).
 */
export type BuggifyPoint =
  /** A write round sends to one replica only, as if the coordinator were cut off just then. */
  | "write-reaches-one-replica"
  /** The coordinator is slow between its learn round and its write round. */
  | "pause-before-write"
  /** A read's write-back is slow to begin. */
  | "pause-before-write-back";

/** Whether the rare path is taken this time. */
export type Buggify = (point: BuggifyPoint) => boolean;

/** How long a rare pause lasts: longer than most rounds, shorter than most deadlines. */
export const BUGGIFY_PAUSE_MS = 300;

/** Production: never. */
export const NEVER: Buggify = () => false;
