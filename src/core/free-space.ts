const MiB = 1024 * 1024;

/** The watermark unless an operator set one; of a small disk a tenth. */
const WATERMARK_BYTES = 256 * MiB;
const WATERMARK_FRACTION = 1 / 10;
/** Below this part of the watermark not even repairs are taken. */
const RESERVE_FRACTION = 1 / 4;
/** So much more than the watermark must be free before a node that stopped goes on. */
const RESUME_FACTOR = 5 / 4;
/** A byte of a batch goes into the log and, before the log is dropped, into a table. */
const BYTES_ON_DISK = 2;

/** Who wants to write: a client, or the cluster for itself, which is how data becomes safe again. */
export type WritePurpose = "client" | "repair";

/**
 * Judges whether a disk has room for more, so that a node stops taking writes of clients while it can
 * still do everything else: LevelDB on a full disk cannot even be opened. Between two measurements it
 * goes by what was written since. Room that comes back counts only when it was measured, and not
 * before there is some more of it than the watermark, so that a node does not flutter.
 */
export class FreeSpace {
  readonly #bytesMin: number | undefined;
  #totalBytes = 0;
  #freeBytes = Infinity;
  #readOnly = false;

  constructor({ diskFreeBytesMin }: { diskFreeBytesMin: number | undefined }) {
    this.#bytesMin = diskFreeBytesMin;
  }

  measured({ freeBytes, totalBytes }: { freeBytes: number; totalBytes: number }): void {
    this.#freeBytes = freeBytes;
    this.#totalBytes = totalBytes;
    if (this.isRoomy) this.#readOnly = false;
    this.#judge();
  }

  spent(bytes: number): void {
    this.#freeBytes -= bytes * BYTES_ON_DISK;
    this.#judge();
  }

  get readOnly(): boolean {
    return this.#readOnly;
  }

  admits(purpose: WritePurpose): boolean {
    if (purpose === "client") return !this.#readOnly;
    return this.#freeBytes >= this.#watermark * RESERVE_FRACTION;
  }

  /** Enough is free to go on after a stop. */
  get isRoomy(): boolean {
    return this.#freeBytes >= this.#watermark * RESUME_FACTOR;
  }

  get #watermark(): number {
    return this.#bytesMin ?? Math.min(WATERMARK_BYTES, this.#totalBytes * WATERMARK_FRACTION);
  }

  #judge(): void {
    if (this.#freeBytes < this.#watermark) this.#readOnly = true;
  }
}
