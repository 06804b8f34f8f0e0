import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { DISK_FOLDER_PREFIX, removeDiskFolder } from "../../support/leftovers.ts";
import { needs, needsFeature } from "../../support/needs.ts";
import { attempt, run } from "../../support/run.ts";

const MiB = 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;

export function needsSmallDisks(): boolean {
  const programs = ["mount", "umount"].map(needs);
  return (
    programs.every(Boolean) &&
    needsFeature("root and tmpfs", () => {
      new SmallDisk({ mebibytes: 1 })[Symbol.dispose]();
    })
  );
}

/** A file system of a few MiB in memory, for one node: it fills up in no time. */
export class SmallDisk implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), DISK_FOLDER_PREFIX));
  readonly #path = join(this.#folder, "mounted");
  readonly #ballast = join(this.#path, "ballast");
  readonly #remove = (): void => removeDiskFolder(this.#folder);

  constructor({ mebibytes }: { mebibytes: number }) {
    process.once("exit", this.#remove);
    mkdirSync(this.#path);
    run("mount", "-t", "tmpfs", "-o", `size=${mebibytes}m`, "quorate-test", this.#path);
  }

  /** Where a node keeps its data. */
  get data(): string {
    return join(this.#path, "data");
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.#path);
    return bavail * bsize;
  }

  /** Leaves no more than this free. */
  fill({ leaveBytes = 0 }: { leaveBytes?: number } = {}): void {
    const bytes = Math.max(0, this.freeBytes - leaveBytes);
    // One write may be cut short when others write too.
    attempt(() => writeFileSync(this.#ballast, Buffer.alloc(Math.min(bytes, 256 * MiB))));
    const chunk = Buffer.alloc(CHUNK_BYTES);
    while (this.freeBytes > Math.max(leaveBytes, CHUNK_BYTES)) {
      if (!attempt(() => writeFileSync(this.#ballast, chunk, { flag: "a" }))) return;
    }
  }

  free(): void {
    rmSync(this.#ballast, { force: true });
  }

  [Symbol.dispose](): void {
    process.off("exit", this.#remove);
    this.#remove();
  }
}
