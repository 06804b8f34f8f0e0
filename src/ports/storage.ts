export interface StorageWrite {
  readonly key: Uint8Array;
  /** undefined removes the key. */
  readonly value: Uint8Array | undefined;
}

/** Of their keys and values together. */
export function bytesOf(writes: readonly StorageWrite[]): number {
  return writes.reduce((sum, { key, value }) => sum + key.length + (value?.byteLength ?? 0), 0);
}

export interface BatchOptions {
  /** True: not before the batch, and all batches before it in the same log, are on the disk. */
  readonly sync: boolean;
}

/** The room on the disk that the storage lies on, whoever else uses it. */
export interface StorageSpace {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/**
 * Why a call failed. `no-space`: the disk is full; what was written before stays readable.
 * `corruption`: what is stored for one of the keys, or the database itself, is damaged. `io`:
 * anything else, a broken disk above all.
 */
export type StorageErrorKind = "no-space" | "corruption" | "io";

export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly kind: StorageErrorKind;

  constructor(kind: StorageErrorKind, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.kind = kind;
  }
}

/** What is not known to be one of the milder kinds is a broken disk. */
export function storageErrorKind(error: unknown): StorageErrorKind {
  return error instanceof StorageError ? error.kind : "io";
}

/** What lies between two keys, both left out. */
export interface ScanRange {
  readonly after: Uint8Array;
  readonly before: Uint8Array;
}

export interface ScanBounds {
  readonly entriesMax: number;
  /** Of keys and values together; the last entry of a page may exceed it, so there is at least one. */
  readonly bytesMax: number;
}

export interface StoragePage {
  /** In key order, from the beginning of the range. */
  readonly entries: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[];
  /** True: nothing of the range comes after the last entry. False: perhaps. */
  readonly ended: boolean;
  /** Something within the page could not be read and was passed over: what is missing may be there. */
  readonly damaged: boolean;
}

/**
 * One ordered map of bytes to bytes. Keys and values handed in must not change afterwards; what is
 * handed out belongs to the caller. Every rejection is a {@link StorageError}.
 *
 * A batch whose promise is rejected is in doubt: it may be there after the next opening, so its
 * owner must answer "unknown", never "not applied". **Nothing that is written after it counts**
 * until the map was opened anew: LevelDB goes on in a log whose end is torn, acknowledges synced
 * batches there and does not find them when it reads the log again.
 */
export interface Storage {
  /**
   * One value a key, in the order of `keys`; undefined for a key that is not there. Damage to what is
   * stored for one key rejects the whole call, and so may damage to its neighbours.
   */
  getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]>;
  /** The first entries of a range. Only a page is held in memory, however large the range. */
  scan(range: ScanRange, bounds: ScanBounds): Promise<StoragePage>;
  /** All or nothing, also across a crash. Of two writes of one key the later wins. */
  batch(writes: readonly StorageWrite[], options: BatchOptions): Promise<void>;
  space(): Promise<StorageSpace>;
  /**
   * Closes and opens the map, which settles what a failed batch left in doubt. Calls that come
   * meanwhile wait. After a rejection every call is rejected until a later `reopen` succeeds.
   */
  reopen(): Promise<void>;
  /** Waits for calls under way. Every later call is rejected. */
  close(): Promise<void>;
}
