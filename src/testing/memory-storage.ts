import { copyBytes } from "../core/bytes.ts";
import { KvError } from "../core/errors.ts";
import type { BatchOptions, Storage, StorageWrite } from "../ports/storage.ts";
import { DiskImage } from "./disk-image.ts";

/**
 * The moments at which a call can be held up: before a `getMany` looks and before what it found is
 * handed over, before a batch is written and before it is synced.
 */
export type DiskWork = "getMany" | "handOver" | "batch" | "sync";

interface Fault {
  /** Whether the failed batch is there after a restart all the same. */
  readonly applied: boolean;
  times: number;
}

/** The disk of one node: it outlives the processes that open it, one at a time. */
export class MemoryDisk {
  /** Calls so far, by all processes. `sync` counts the batches that asked for it. */
  readonly calls = { getMany: 0, batch: 0, sync: 0 };
  /** Awaited before the work takes effect: how a test or simulator makes a disk slow. */
  pause: (work: DiskWork) => Promise<void> = () => Promise.resolve();
  readonly #image = new DiskImage();
  readonly #faults = new Map<"getMany" | "batch", Fault>();
  #open: MemoryStorage | undefined;
  #created = false;
  #lostBeforeSync = false;

  /** @throws KvError `directory-in-use`, `directory-damaged` */
  async open(): Promise<MemoryStorage> {
    if (this.#open !== undefined) {
      throw new KvError("directory-in-use", "the disk is open already");
    }
    if (this.#lostBeforeSync) {
      throw new KvError("directory-damaged", "the disk lost power before its first fsync");
    }
    this.#created = true;
    this.#image.recover();
    const storage: MemoryStorage = new MemoryStorage(this.#image, {
      begin: (call, sync) => this.#begin(call, sync),
      pause: (work) => this.pause(work),
      onClose: () => {
        if (this.#open === storage) this.#open = undefined;
      },
    });
    this.#open = storage;
    return storage;
  }

  /** What a process reads now, in byte order. */
  entries(): readonly (readonly [key: Uint8Array, value: Uint8Array])[] {
    return this.#image.entries();
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#image.get(key);
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

  /** The next `times` calls are rejected. Of a batch, `applied` says what a restart will find. */
  fail(
    call: "getMany" | "batch",
    { applied = false, times = 1 }: { applied?: boolean; times?: number } = {},
  ): void {
    this.#faults.set(call, { applied, times });
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
  readonly onClose: () => void;
}

/** Storage in memory, as one process has it open. Made by {@link MemoryDisk.open}. */
export class MemoryStorage implements Storage {
  readonly #image: DiskImage;
  readonly #modules: MemoryStorageModules;
  readonly #underWay = new Set<Promise<unknown>>();
  /** Batches take effect one after the other, in the order of the calls. */
  #lastBatch: Promise<unknown> = Promise.resolve();
  #state: "open" | "closed" | "abandoned" = "open";

  constructor(image: DiskImage, modules: MemoryStorageModules) {
    this.#image = image;
    this.#modules = modules;
  }

  getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    return this.#call("getMany", false, async (fault) => {
      await this.#pause("getMany");
      if (fault !== undefined) throw new Error("injected: the read failed");
      const values = keys.map((key) => this.#image.get(key));
      await this.#pause("handOver");
      return values.map((value) => (value === undefined ? undefined : copyBytes(value)));
    });
  }

  batch(writes: readonly StorageWrite[], { sync }: BatchOptions): Promise<void> {
    const before = this.#lastBatch;
    const batch = this.#call("batch", sync, async (fault) => {
      await before;
      await this.#pause("batch");
      if (fault?.applied === false) throw new Error("injected: the write failed");
      const entry = this.#image.append(writes);
      if (fault !== undefined) throw new Error("injected: the write failed, or so it seems");
      if (sync) {
        await this.#pause("sync");
        this.#image.sync(entry);
      }
      this.#image.reveal(entry);
    });
    this.#lastBatch = batch.catch(() => {});
    return batch;
  }

  async close(): Promise<void> {
    if (this.#state === "abandoned") return never();
    this.#state = "closed";
    await Promise.allSettled(this.#underWay);
    this.#modules.onClose();
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
    if (this.#state === "closed") return Promise.reject(new Error("the storage is closed"));
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

function never<T>(): Promise<T> {
  return new Promise(() => {});
}
