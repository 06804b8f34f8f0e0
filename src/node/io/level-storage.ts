import { mkdir } from "node:fs/promises";
import { Level } from "level";
import { KvError } from "../../core/errors.ts";
import type { BatchOptions, Storage, StorageWrite } from "../../ports/storage.ts";

/** LevelDB in a directory of its own. Bytes go in and out as they are. */
export class LevelStorage implements Storage {
  readonly #db: Level<Uint8Array, Uint8Array>;

  private constructor(db: Level<Uint8Array, Uint8Array>) {
    this.#db = db;
  }

  /** @throws KvError `directory-in-use`, `directory-damaged` */
  static async open(path: string): Promise<LevelStorage> {
    await mkdir(path, { recursive: true });
    const db = new Level<Uint8Array, Uint8Array>(path, {
      keyEncoding: "buffer",
      valueEncoding: "buffer",
    });
    try {
      await db.open();
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      const detail = cause instanceof Error ? cause.message : String(error);
      const locked = cause instanceof Error && "code" in cause && cause.code === "LEVEL_LOCKED";
      throw new KvError(
        locked ? "directory-in-use" : "directory-damaged",
        `${path}: ${detail}`,
        {},
        { cause: error },
      );
    }
    return new LevelStorage(db);
  }

  getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    return this.#db.getMany([...keys]);
  }

  /** A chained batch: it costs half the CPU of handing over an array of operations. */
  async batch(writes: readonly StorageWrite[], { sync }: BatchOptions): Promise<void> {
    const batch = this.#db.batch();
    for (const { key, value } of writes) batch.put(key, value);
    await batch.write({ sync });
  }

  close(): Promise<void> {
    return this.#db.close();
  }
}
