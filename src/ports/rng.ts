/** All randomness of a node. Seeded in simulation, the operating system's in production. */
export interface Rng {
  /** `count` random bytes, owned by the caller. */
  bytes(count: number): Uint8Array;
  /** Uniform in [0, 1). */
  fraction(): number;
}
