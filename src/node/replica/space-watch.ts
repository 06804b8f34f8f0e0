import { FreeSpace } from "../../core/free-space.ts";
import type { WritePurpose } from "../../core/free-space.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import { storageErrorKind } from "../../ports/storage.ts";
import type { Storage } from "../../ports/storage.ts";
import type { Telemetry } from "../../ports/telemetry.ts";

export interface SpaceWatchOptions {
  readonly diskFreeBytesMin: number | undefined;
  readonly diskPollMs: number;
}

interface SpaceWatchModules {
  readonly clock: Clock;
  readonly storage: Storage;
  readonly telemetry: Telemetry;
  /** Opens the storage anew and whatever hangs on it. Rejected for lack of space it is tried again. */
  readonly recover: () => Promise<void>;
  readonly onStorageError: (error: unknown) => void;
}

/**
 * Knows whether this node's disk takes writes. It measures the free space every `diskPollMs`; after
 * a batch failed for lack of it, it waits until there is room and has the storage opened anew.
 */
export class SpaceWatch {
  readonly #pollMs: number;
  readonly #modules: SpaceWatchModules;
  readonly #space: FreeSpace;
  #full = false;
  #shown = false;
  #measurable = true;
  #timer: Timer | undefined;
  #stopped = false;
  #polling: Promise<void> = Promise.resolve();

  private constructor(opts: SpaceWatchOptions, modules: SpaceWatchModules) {
    this.#pollMs = opts.diskPollMs;
    this.#modules = modules;
    this.#space = new FreeSpace(opts);
  }

  /** Measures before it returns, so that a node on a full disk takes no write at all. */
  static async open(opts: SpaceWatchOptions, modules: SpaceWatchModules): Promise<SpaceWatch> {
    const watch = new SpaceWatch(opts, modules);
    await watch.#measure();
    watch.#arm();
    return watch;
  }

  get readOnly(): boolean {
    return this.#full || this.#space.readOnly;
  }

  /** A batch failed for lack of space and the storage was not opened anew yet. */
  get isFull(): boolean {
    return this.#full;
  }

  admits(purpose: WritePurpose): boolean {
    return !this.#full && this.#space.admits(purpose);
  }

  spent(bytes: number): void {
    this.#space.spent(bytes);
    this.#show();
  }

  /** A batch failed for lack of space: nothing is taken before the storage was opened anew. */
  filled(error: unknown): void {
    this.#modules.telemetry.log.error({ err: error }, "the disk is full");
    this.#full = true;
    this.#show();
  }

  /** Waits for what is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#polling;
  }

  #arm(): void {
    if (this.#stopped) return;
    this.#timer = this.#modules.clock.after(this.#pollMs, () => {
      this.#polling = this.#poll();
    });
  }

  async #poll(): Promise<void> {
    await this.#measure();
    if (this.#full && this.#space.isRoomy && !this.#stopped) await this.#recover();
    this.#arm();
  }

  async #measure(): Promise<void> {
    const { storage, telemetry } = this.#modules;
    try {
      const space = await storage.space();
      this.#space.measured(space);
      telemetry.metrics.diskFree.with().set(space.freeBytes);
      telemetry.metrics.diskSize.with().set(space.totalBytes);
      this.#measurable = true;
    } catch (error) {
      if (this.#measurable) telemetry.log.warn({ err: error }, "free space cannot be measured");
      this.#measurable = false;
    }
    this.#show();
  }

  async #recover(): Promise<void> {
    const { recover, telemetry, onStorageError } = this.#modules;
    try {
      await recover();
      this.#full = false;
      this.#show();
    } catch (error) {
      if (storageErrorKind(error) === "no-space") {
        telemetry.log.warn({ err: error }, "the storage does not open for lack of space");
        return;
      }
      this.#stopped = true;
      onStorageError(error);
    }
  }

  #show(): void {
    const { telemetry } = this.#modules;
    telemetry.metrics.readOnly.with().set(this.readOnly ? 1 : 0);
    if (this.readOnly === this.#shown) return;
    this.#shown = this.readOnly;
    if (this.readOnly) telemetry.log.warn({}, "the disk is nearly full: the node takes no writes");
    else telemetry.log.info({}, "the disk has room again: the node takes writes");
  }
}
