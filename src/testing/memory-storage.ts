import { copyBytes } from "../core/bytes.ts";
import { KvError } from "../core/errors.ts";
import { bytesOf, StorageError } from "../ports/storage.ts";
import type {
  BatchOptions,
  ScanBounds,
  ScanRange,
  Storage,
  StorageErrorKind,
  StoragePage,
  StorageSpace,
  StorageWrite,
} from "../ports/storage.ts";
import { DiskImage } from "./disk-image.ts";

/**
 * The moments at which a call can be held up: before a `getMany` looks and before what it found is
 * handed over, before a batch is written and before it is synced, between closing and opening anew.
 */
export type DiskWork = "getMany" | "handOver" | "batch" | "sync" | "reopen";

interface Fault {
  readonly kind: StorageErrorKind;
  /** Whether the failed batch is there after a restart all the same. */
  readonly applied: boolean;
  times: number;
}

/** As large as disks are that never fill. */
const CAPACITY_BYTES = 2 ** 50;

/** The disk of one node: it outlives the processes that open it, one at a time. */
export class MemoryDisk {
  /** Calls so far, by all processes. `sync` counts the batches that asked for it. */
  readonly calls = { getMany: 0, batch: 0, sync: 0 };
  /** Awaited before the work takes effect: how a test or simulator makes a disk slow. */
  pause: (work: DiskWork) => Promise<void> = () => Promise.resolve();
  /** Set it at will: a batch that does not fit, and an opening without any room, fail for lack of space. */
  capacityBytes = CAPACITY_BYTES;
  /** Nobody can tell how much room there is. */
  failSpace = false;
  readonly #image = new DiskImage();
  readonly #faults = new Map<"getMany" | "batch", Fault>();
  #open: MemoryStorage | undefined;
  #created = false;
  #lostBeforeSync = false;

  /** @throws KvError `directory-in-use`, `directory-damaged`, `disk-full` */
  async open(): Promise<MemoryStorage> {
    if (this.#open !== undefined) {
      throw new KvError("directory-in-use", "the disk is open already");
    }
    if (this.#lostBeforeSync) {
      throw new KvError("directory-damaged", "the disk lost power before its first fsync");
    }
    if (this.freeBytes <= 0) throw new KvError("disk-full", "the disk has no room to open");
    this.#created = true;
    this.#image.recover();
    const storage: MemoryStorage = new MemoryStorage(this.#image, {
      begin: (call, sync) => this.#begin(call, sync),
      pause: (work) => this.pause(work),
      space: () => {
        if (this.failSpace) throw new StorageError("io", "injected: the space is unknown");
        return { freeBytes: this.freeBytes, totalBytes: this.capacityBytes };
      },
      freeBytes: () => this.freeBytes,
      onClose: () => {
        if (this.#open === storage) this.#open = undefined;
      },
    });
    this.#open = storage;
    return storage;
  }

  get freeBytes(): number {
    return Math.max(0, this.capacityBytes - this.#image.usedBytes);
  }

  /** What a process reads now, in byte order. */
  entries(): readonly (readonly [key: Uint8Array, value: Uint8Array])[] {
    return this.#image.entries();
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#image.get(key);
  }

  /** A disk with the same entries, as if they had been copied file by file. */
  copy(): MemoryDisk {
    const copy = new MemoryDisk();
    for (const [key, value] of this.entries()) copy.overwrite(key, value);
    return copy;
  }

  /** Writes behind everybody's back. */
  overwrite(key: Uint8Array, value: Uint8Array): void {
    const entry = this.#image.append([{ key, value }]);
    this.#image.sync(entry);
    this.#image.reveal(entry);
  }

  /** The bytes of a stored value change where they lie. */
  rot(key: Uint8Array, rotten: Uint8Array): void {
    this.#image.rot(key, rotten);
  }

  /** The block that holds the key's value is unreadable: so is every `getMany` that asks for it. */
  breakBlock(key: Uint8Array): void {
    this.#image.breakBlock(key);
  }

  /** The next `times` calls are rejected. Of a batch, `applied` says what a restart will find. */
  fail(
    call: "getMany" | "batch",
    {
      applied = false,
      times = 1,
      kind = "io",
    }: { applied?: boolean; times?: number; kind?: StorageErrorKind } = {},
  ): void {
    this.#faults.set(call, { applied, times, kind });
  }

  /** The log file is full: an fsync from now on does not cover what was written before. */
  rotateLog(): void {
    this.#image.rotate();
  }

  /** The process dies, the machine does not: nothing is lost, and its calls never settle. */
  kill(): void {
    this.#open?.abandon();
    this.#open = undefined;
  }

  /**
   * Machine and process die. Of each log file the first `keep(unsynced)` unsynced batches survive,
   * none unless told otherwise.
   */
  losePower(keep: (unsynced: number) => number = () => 0): void {
    this.kill();
    this.#image.losePower(keep);
    this.#lostBeforeSync ||= this.#created && !this.#image.opens;
  }

  #begin(call: "getMany" | "batch", sync: boolean): Fault | undefined {
    this.calls[call] += 1;
    if (sync) this.calls.sync += 1;
    const fault = this.#faults.get(call);
    if (fault === undefined || fault.times === 0) return undefined;
    fault.times -= 1;
    return fault;
  }
}

interface MemoryStorageModules {
  readonly begin: (call: "getMany" | "batch", sync: boolean) => Fault | undefined;
  readonly pause: (work: DiskWork) => Promise<void>;
  readonly space: () => StorageSpace;
  readonly freeBytes: () => number;
  readonly onClose: () => void;
}

/** Storage in memory, as one process has it open. Made by {@link MemoryDisk.open}. */
export class MemoryStorage implements Storage {
  readonly #image: DiskImage;
  readonly #modules: MemoryStorageModules;
  readonly #underWay = new Set<Promise<unknown>>();
  /** Batches take effect one after the other, in the order of the calls. */
  #lastBatch: Promise<unknown> = Promise.resolve();
  #reopening: Promise<void> | undefined;
  #state: "open" | "shut" | "closed" | "abandoned" = "open";

  constructor(image: DiskImage, modules: MemoryStorageModules) {
    this.#image = image;
    this.#modules = modules;
  }

  getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    return this.#call("getMany", false, async (fault) => {
      await this.#pause("getMany");
      if (fault !== undefined) throw injected(fault, "the read failed");
      if (!keys.every((key) => this.#image.isReadable(key))) {
        throw new StorageError("corruption", "a block cannot be read");
      }
      const values = keys.map((key) => this.#image.get(key));
      await this.#pause("handOver");
      return values.map((value) => (value === undefined ? undefined : copyBytes(value)));
    });
  }

  scan({ after, before }: ScanRange, { entriesMax, bytesMax }: ScanBounds): Promise<StoragePage> {
    return this.#call("getMany", false, async (fault) => {
      await this.#pause("getMany");
      if (fault !== undefined) throw injected(fault, "the read failed");
      const keys = this.#image.keysBetween(after, before);
      const readable = keys.filter((key) => this.#image.isReadable(key));
      const entries: { key: Uint8Array; value: Uint8Array }[] = [];
      let bytes = 0;
      for (const key of readable) {
        if (entries.length >= entriesMax || bytes > bytesMax) break;
        const value = copyBytes(this.#image.get(key) ?? new Uint8Array(0));
        entries.push({ key, value });
        bytes += key.byteLength + value.byteLength;
      }
      await this.#pause("handOver");
      const damaged = readable.length < keys.length;
      return { entries, ended: entries.length === readable.length, damaged };
    });
  }

  batch(writes: readonly StorageWrite[], { sync }: BatchOptions): Promise<void> {
    const before = this.#lastBatch;
    const batch = this.#call("batch", sync, async (fault) => {
      await before;
      await this.#pause("batch");
      if (bytesOf(writes) > this.#modules.freeBytes()) {
        this.#image.tear();
        throw new StorageError("no-space", "the disk is full");
      }
      const entry = fault?.applied === false ? undefined : this.#image.append(writes);
      if (fault?.kind === "no-space") this.#image.tear();
      if (entry === undefined || fault !== undefined) throw injected(fault, "the write failed");
      if (sync) {
        await this.#pause("sync");
        this.#image.sync(entry);
      }
      this.#image.reveal(entry);
    });
    this.#lastBatch = batch.catch(() => {});
    return batch;
  }

  async space(): Promise<StorageSpace> {
    if (this.#state === "abandoned") return never();
    return this.#modules.space();
  }

  reopen(): Promise<void> {
    if (this.#state === "abandoned") return never();
    if (this.#state === "closed") return Promise.reject(closed());
    this.#reopening ??= this.#openAnew().finally(() => {
      this.#reopening = undefined;
    });
    return this.#reopening;
  }

  async close(): Promise<void> {
    if (this.#state === "abandoned") return never();
    await this.#reopening?.catch(() => {});
    this.#state = "closed";
    await Promise.allSettled(this.#underWay);
    this.#modules.onClose();
  }

  async #openAnew(): Promise<void> {
    this.#state = "shut";
    await Promise.allSettled(this.#underWay);
    await this.#pause("reopen");
    if (this.#modules.freeBytes() <= 0) {
      throw new StorageError("no-space", "the disk has no room to open");
    }
    this.#image.recover();
    this.#state = "open";
  }

  /** The process is dead: whatever it waits for does not come, whatever it still calls does nothing. */
  abandon(): void {
    this.#state = "abandoned";
  }

  #call<T>(
    call: "getMany" | "batch",
    sync: boolean,
    work: (fault: Fault | undefined) => Promise<T>,
  ): Promise<T> {
    if (this.#state === "abandoned") return never();
    if (this.#reopening !== undefined) {
      return this.#reopening.catch(() => {}).then(() => this.#call(call, sync, work));
    }
    if (this.#state !== "open") return Promise.reject(closed());
    const running = work(this.#modules.begin(call, sync)).finally(() => {
      this.#underWay.delete(running);
    });
    this.#underWay.add(running);
    return running;
  }

  async #pause(work: DiskWork): Promise<void> {
    await this.#modules.pause(work);
    if (this.#state === "abandoned") await never();
  }
}

function closed(): StorageError {
  return new StorageError("io", "the storage is closed");
}

function injected(fault: Fault | undefined, detail: string): StorageError {
  return new StorageError(fault?.kind ?? "io", `injected: ${detail}`);
}

function never<T>(): Promise<T> {
  return new Promise(() => {});
}
