import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";

/**
 * The command line of a running process, which tells a process that we started from another one
 * that got its number later. undefined: no such process.
 */
export function commandOf(pid: number): string | undefined {
  if (!Number.isSafeInteger(pid) || pid < 1) return undefined;
  if (process.platform === "linux") {
    try {
      // Empty for a process that has ended and that nobody has waited for.
      const text = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      return text === "" ? undefined : text.replaceAll("\0", " ").trim();
    } catch {
      return undefined;
    }
  }
  const { stdout } = spawnSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" });
  const text = stdout.trim();
  return text === "" ? undefined : text;
}
