/** Why a replica did not do what it was asked, or was never asked. Nothing was applied. */
export const REFUSALS = [
  /** The request was never sent: no connection, a full queue. */
  "not-sent",
  /** Its deadline had passed before the replica came to it. */
  "expired",
  /** A bounded queue of the replica is full. */
  "overloaded",
  /** Sender and replica do not have the same layout. */
  "epoch-mismatch",
  /** The replica is stopping. */
  "stopping",
  /** What the replica stored for this key is damaged and not repaired yet; it counts for nothing. */
  "damaged-record",
  /** The message arrived damaged. */
  "damaged-message",
  /** Its disk is full, or nearly so: it takes no writes of clients. */
  "no-space",
  /** Its directory may lack what it once acknowledged, so its answer would prove nothing. */
  "resynchronising",
  /** It could not mint the write, and applied nothing: perhaps another replica can. */
  "not-minted",
] as const;
export type Refusal = (typeof REFUSALS)[number];

/** Why nobody knows what a replica did. */
export const DOUBTS = ["connection-lost", "deadline", "damaged-answer", "storage-error"] as const;
export type Doubt = (typeof DOUBTS)[number];

/** What one replica said. Only `refused` proves that nothing was applied there. */
export type Answer<T> =
  | { readonly kind: "ok"; readonly value: T }
  | { readonly kind: "refused"; readonly reason: Refusal }
  | { readonly kind: "unknown"; readonly reason: Doubt };

export type Failure = Exclude<Answer<never>, { readonly kind: "ok" }>;
