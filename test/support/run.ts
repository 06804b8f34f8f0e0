import { spawnSync } from "node:child_process";

/** Runs a program to its end. @returns what it printed. @throws with its own words when it fails. */
export function run(program: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
  if (status === 0) return stdout;
  throw new Error(`${program} ${args.join(" ")}: ${error?.message ?? stderr.trim()}`);
}

/** For clearing away: what is gone already needs no clearing. @returns whether it worked. */
export function attempt(step: () => unknown): boolean {
  try {
    step();
    return true;
  } catch {
    return false;
  }
}
