import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { OWNER_VARIABLE } from "./cluster-node.ts";
import { attempt, run } from "./run.ts";

/** Whatever outlives a process carries its pid, so that a later run sees what nobody owns any more. */
const DISK_FOLDER = /^quorate-disk-(\d+)-/;
const NETWORK = /\bqt(\d+)\b/g;

export const DISK_FOLDER_PREFIX = `quorate-disk-${process.pid}-`;

/** Of a bridge, and what the names of its namespaces and links begin with. */
export function networkName(owner: number): string {
  return `qt${owner}`;
}

/** Vitest calls it once before the suites: ends and removes what runs that died have left behind. */
export function setup(): void {
  if (!existsSync("/proc/self/mounts")) return;
  for (const pid of readdirSync("/proc").map(Number)) {
    if (isDead(ownerOf(pid))) attempt(() => process.kill(pid, "SIGKILL"));
  }
  for (const name of readdirSync(tmpdir())) {
    if (isDead(Number(DISK_FOLDER.exec(name)?.[1]))) removeDiskFolder(join(tmpdir(), name));
  }
  const links = attempt(() => run("ip", "-V")) ? run("ip", "-o", "link", "show") : "";
  for (const owner of new Set([...links.matchAll(NETWORK)].map(([, pid]) => Number(pid)))) {
    if (isDead(owner)) removeNetwork(owner);
  }
}

/** Unmounts what is mounted below it first: the image of a mounted file system must stay. */
export function removeDiskFolder(folder: string): void {
  for (const path of mountsBelow(folder)) attempt(() => run("umount", "--lazy", path));
  rmSync(folder, { recursive: true, force: true });
}

/** Bridge, namespaces, links and filters. */
export function removeNetwork(owner: number): void {
  const name = networkName(owner);
  // By name, because those of a deleted namespace go some time later, and the next network wants them.
  for (const [link] of run("ip", "-o", "link", "show").matchAll(
    new RegExp(`\\b${name}n\\w+`, "g"),
  )) {
    attempt(() => run("ip", "link", "delete", link));
  }
  attempt(() => run("nft", "delete", "table", "bridge", name));
  for (const line of run("ip", "netns", "list").split("\n")) {
    const namespace = line.split(" ")[0] ?? "";
    if (namespace.startsWith(`${name}-`)) attempt(() => run("ip", "netns", "delete", namespace));
  }
  attempt(() => run("ip", "link", "delete", name));
}

function mountsBelow(folder: string): readonly string[] {
  return readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((path) => path.startsWith(`${folder}/`));
}

/** The process whose test started this one; NaN if it is no node of a test. */
function ownerOf(pid: number): number {
  try {
    const variables = readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
    const owner = variables.find((variable) => variable.startsWith(`${OWNER_VARIABLE}=`));
    return Number(owner?.slice(OWNER_VARIABLE.length + 1));
  } catch {
    return Number.NaN;
  }
}

function isDead(owner: number): boolean {
  return Number.isSafeInteger(owner) && !attempt(() => process.kill(owner, 0));
}
