import { mkdir, statfs } from "node:fs/promises";
import { ClassicLevel } from "classic-level";
import { Level } from "level";
import { KvError } from "../../core/errors.ts";
import { StorageError } from "../../ports/storage.ts";
import type {
  BatchOptions,
  ScanBounds,
  ScanRange,
  Storage,
  StorageErrorKind,
  StoragePage,
  StorageSpace,
  StorageWrite,
} from "../../ports/storage.ts";
import { scanLevel } from "./level-scan.ts";

/** What strerror says of ENOSPC and EDQUOT: LevelDB hands on the text alone. */
const NO_SPACE = /No space left on device|Disk quota exceeded/;

/** LevelDB in a directory of its own. Bytes go in and out as they are. */
export class LevelStorage implements Storage {
  readonly #path: string;
  readonly #db: Level<Uint8Array, Uint8Array>;
  #reopening: Promise<void> | undefined;

  private constructor(path: string, db: Level<Uint8Array, Uint8Array>) {
    this.#path = path;
    this.#db = db;
  }

  /** @throws KvError `directory-in-use`, `directory-damaged`, `disk-full`; its cause is a StorageError. */
  static async open(path: string): Promise<LevelStorage> {
    try {
      await mkdir(path, { recursive: true });
      const db = new Level<Uint8Array, Uint8Array>(path, {
        keyEncoding: "buffer",
        valueEncoding: "buffer",
      });
      await db.open();
      return new LevelStorage(path, db);
    } catch (error) {
      const cause = storageError(error);
      const code = openingCode(error, cause.kind);
      throw new KvError(code, `${path}: ${cause.message}`, {}, { cause });
    }
  }

  /**
   * Makes a database that does not open into one that does, of what tables and logs can be read; the
   * rest is moved to a folder `lost` within it.
   */
  static async repair(path: string): Promise<void> {
    try {
      await ClassicLevel.repair(path);
    } catch (error) {
      const cause = storageError(error);
      throw new KvError("directory-damaged", `${path}: ${cause.message}`, {}, { cause });
    }
  }

  async getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    if (this.#reopening !== undefined) await this.#reopened();
    try {
      return await this.#db.getMany([...keys]);
    } catch (error) {
      throw storageError(error);
    }
  }

  async scan(range: ScanRange, bounds: ScanBounds): Promise<StoragePage> {
    if (this.#reopening !== undefined) await this.#reopened();
    try {
      return await scanLevel(this.#db, range, bounds);
    } catch (error) {
      throw storageError(error);
    }
  }

  /** A chained batch: it costs half the CPU of handing over an array of operations. */
  async batch(writes: readonly StorageWrite[], { sync }: BatchOptions): Promise<void> {
    if (this.#reopening !== undefined) await this.#reopened();
    try {
      const batch = this.#db.batch();
      for (const { key, value } of writes) {
        if (value === undefined) batch.del(key);
        else batch.put(key, value);
      }
      await batch.write({ sync });
    } catch (error) {
      throw storageError(error);
    }
  }

  async space(): Promise<StorageSpace> {
    try {
      const { bavail, blocks, bsize } = await statfs(this.#path);
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    } catch (error) {
      throw storageError(error);
    }
  }

  reopen(): Promise<void> {
    this.#reopening ??= this.#openAnew().finally(() => {
      this.#reopening = undefined;
    });
    return this.#reopening;
  }

  async close(): Promise<void> {
    await this.#reopened();
    await this.#db.close();
  }

  async #openAnew(): Promise<void> {
    try {
      await this.#db.close();
      await this.#db.open();
    } catch (error) {
      throw storageError(error);
    }
  }

  /** Whether it succeeded is for the caller of `reopen` to know; calls fail by themselves if not. */
  async #reopened(): Promise<void> {
    await this.#reopening?.catch(() => {});
  }
}

function openingCode(
  error: unknown,
  kind: StorageErrorKind,
): "directory-in-use" | "directory-damaged" | "disk-full" {
  if (codeOf(origin(error)) === "LEVEL_LOCKED") return "directory-in-use";
  return kind === "no-space" ? "disk-full" : "directory-damaged";
}

function storageError(error: unknown): StorageError {
  const cause = origin(error);
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new StorageError(kindOf(cause, detail), detail, { cause: error });
}

function kindOf(cause: unknown, detail: string): StorageErrorKind {
  const code = codeOf(cause);
  if (code === "LEVEL_CORRUPTION") return "corruption";
  return code === "ENOSPC" || code === "EDQUOT" || NO_SPACE.test(detail) ? "no-space" : "io";
}

/** A failed opening is wrapped by one that says nothing but that it failed. */
function origin(error: unknown): unknown {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error ? cause : error;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
