export interface StorageWrite {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export interface BatchOptions {
  /** True: not before the batch, and all batches before it in the same log, are on the disk. */
  readonly sync: boolean;
}

/**
 * One ordered map of bytes to bytes. Keys and values handed in must not change afterwards; what is
 * handed out belongs to the caller.
 *
 * A call that fails leaves the map in doubt: a batch whose promise is rejected may be there after a
 * restart, so its owner must answer "unknown" and stop, never "not applied".
 */
export interface Storage {
  /** One value a key, in the order of `keys`; undefined for a key that is not there. */
  getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]>;
  /** All or nothing, also across a crash. Of two writes of one key the later wins. */
  batch(writes: readonly StorageWrite[], options: BatchOptions): Promise<void>;
  /** Waits for calls under way. Every later call is rejected. */
  close(): Promise<void>;
}
