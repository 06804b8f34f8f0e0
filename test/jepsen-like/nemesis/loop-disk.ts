import { mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { ClusterNode } from "../../support/cluster-node.ts";
import { DISK_FOLDER_PREFIX, removeDiskFolder } from "../../support/leftovers.ts";
import { needs, needsFeature } from "../../support/needs.ts";
import { run } from "../../support/run.ts";

/** The least that mkfs.xfs takes; the image is sparse. */
const IMAGE_SIZE = "320M";

/** Whether this machine can cut the power of a file system. */
export function needsLoopDisks(): boolean {
  const programs = ["mkfs.ext4", "mkfs.xfs", "xfs_io", "mount", "umount"].map(needs);
  return (
    programs.every(Boolean) &&
    needsFeature("root and file systems on loop devices", () => {
      new LoopDisk()[Symbol.dispose]();
    })
  );
}

/**
 * A file system in a file, for one node. Shut down, it drops whatever no fsync has made durable, as a
 * machine does that loses power, and takes nothing more.
 */
export class LoopDisk implements Disposable {
  /** Where it is mounted. */
  readonly path: string;
  readonly #folder = mkdtempSync(join(tmpdir(), DISK_FOLDER_PREFIX));
  readonly #image = join(this.#folder, "image");
  readonly #remove = (): void => removeDiskFolder(this.#folder);

  constructor() {
    process.once("exit", this.#remove);
    this.path = join(this.#folder, "mounted");
    mkdirSync(this.path);
    run("truncate", "--size", IMAGE_SIZE, this.#image);
    if (kernelKnows("xfs")) run("mkfs.xfs", "-q", this.#image);
    else run("mkfs.ext4", "-q", "-F", this.#image);
    this.#mount();
  }

  /** Where a node keeps its data. */
  get data(): string {
    return join(this.path, "data");
  }

  /** From this moment on nothing reaches the disk, nor what had not reached it yet. */
  shutDown(): void {
    run("xfs_io", "-x", "-c", "shutdown", this.path);
  }

  /** After its users have ended. */
  remount(): void {
    run("umount", this.path);
    this.#mount();
  }

  [Symbol.dispose](): void {
    process.off("exit", this.#remove);
    this.#remove();
  }

  #mount(): void {
    run("mount", "-o", "loop", this.#image, this.path);
  }
}

/** All lose power at once: disks first, so that no process has time to tell anybody. The nodes stay down. */
export async function cutPower(
  machines: readonly { readonly node: ClusterNode; readonly disk: LoopDisk }[],
): Promise<void> {
  for (const { disk } of machines) disk.shutDown();
  await Promise.all(machines.map(({ node }) => node.kill()));
  for (const { disk } of machines) disk.remount();
}

function kernelKnows(fileSystem: string): boolean {
  return readFileSync("/proc/filesystems", "utf8").includes(`\t${fileSystem}\n`);
}
