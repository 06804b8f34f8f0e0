import { link, mkdir, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Storage } from "../../ports/storage.ts";
import { LevelStorage } from "./level-storage.ts";
import { repairEach } from "./level-child.ts";

/** Tables and logs: what LevelDB can make a database of. */
const PART = /^\d+\.(ldb|sst|log)$/;

/**
 * A database that LevelDB cannot work on without aborting, taken apart: a database of its own for
 * each table and each log, in which there is nothing to compact. The files are linked, not copied.
 */
export class DatabaseParts {
  /** Files of which nothing could be read. */
  readonly lost: readonly string[];
  readonly #folder: string;
  readonly #paths: readonly string[];

  private constructor(folder: string, paths: readonly string[], lost: readonly string[]) {
    this.#folder = folder;
    this.#paths = paths;
    this.lost = lost;
  }

  /** @param folder is made anew, on the file system of the database. */
  static async take(database: string, folder: string): Promise<DatabaseParts> {
    await rm(folder, { recursive: true, force: true });
    const files = (await readdir(database)).filter((name) => PART.test(name)).toSorted();
    const paths = files.map((name) => join(folder, name));
    for (const [i, path] of paths.entries()) {
      const file = files[i] ?? "";
      await mkdir(path, { recursive: true });
      await link(join(database, file), join(path, file));
    }
    const repaired = await repairEach(paths);
    const lost = paths.filter((path) => !repaired.includes(path)).map((path) => basename(path));
    return new DatabaseParts(folder, repaired, lost);
  }

  /** One part after the other. */
  async forEach(use: (part: Storage) => Promise<void>): Promise<void> {
    for (const path of this.#paths) {
      const part = await LevelStorage.open(path);
      try {
        await use(part);
      } finally {
        await part.close();
      }
    }
  }

  remove(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true });
  }
}
