import { link, readFile, rm, writeFile } from "node:fs/promises";
import process from "node:process";
import { KvError } from "../../core/errors.ts";
import { commandOf } from "./process-command.ts";

interface Holder {
  readonly pid: number;
  readonly command: string;
  /** What the holder serves, for the message to whoever comes second. */
  readonly serves: string;
}

/** Held by the one `kv dev` that runs on a directory; a crashed one's is taken over. */
export class DevLock {
  readonly #file: string;

  private constructor(file: string) {
    this.#file = file;
  }

  /** @throws KvError `directory-in-use`, naming the holder. */
  static async acquire(file: string, serves: string): Promise<DevLock> {
    const holder: Holder = { pid: process.pid, command: commandOf(process.pid) ?? "", serves };
    const draft = `${file}.${process.pid}`;
    await writeFile(draft, `${JSON.stringify(holder)}\n`);
    try {
      // A link appears with its content or not at all, so nobody reads half a lock.
      while (!(await linked(draft, file))) {
        const other = await holderOf(file);
        if (other !== undefined && commandOf(other.pid) === other.command) {
          throw new KvError(
            "directory-in-use",
            `kv dev runs here already as process ${other.pid} and serves ${other.serves}; ` +
              `stop it (Ctrl-C there, or kill ${other.pid}) or use another --data`,
          );
        }
        await rm(file, { force: true });
      }
      return new DevLock(file);
    } finally {
      await rm(draft, { force: true });
    }
  }

  async release(): Promise<void> {
    await rm(this.#file, { force: true });
  }
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

/** undefined: released meanwhile, or not written by us. */
async function holderOf(file: string): Promise<Holder | undefined> {
  try {
    const { pid, command, serves } = JSON.parse(await readFile(file, "utf8")) as Partial<Holder>;
    return pid === undefined || command === undefined || serves === undefined
      ? undefined
      : { pid, command, serves };
  } catch {
    return undefined;
  }
}
