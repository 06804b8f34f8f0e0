import { spawnSync } from "node:child_process";
import process from "node:process";

/** Debian keeps what administers a machine where only root's PATH looks. */
const ADMINISTRATION = ":/usr/local/sbin:/usr/sbin:/sbin";

/**
 * Asks the machine for a program that a test drives. In CI (CI=true) a missing one fails the test,
 * elsewhere the suite is skipped under a name that says what is lacking.
 *
 * Use: `describe.skipIf(!needs("nginx"))(…)`.
 */
export function needs(program: string): boolean {
  if (process.env["PATH"]?.endsWith(ADMINISTRATION) !== true) {
    process.env["PATH"] = (process.env["PATH"] ?? "") + ADMINISTRATION;
  }
  const found = spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
  if (found) return true;
  const message = `this suite needs '${program}' on PATH (Debian: apt-get install ${program})`;
  if (process.env["CI"] === "true") throw new Error(message);
  console.warn(`SKIPPED: ${message}`);
  return false;
}

/**
 * Asks for what no package brings: rights, or a feature of the kernel. A machine may lack it in CI
 * too, so that is a skip everywhere, under a name that says what is lacking.
 */
export function needsFeature(feature: string, probe: () => void): boolean {
  try {
    probe();
    return true;
  } catch (error) {
    console.warn(`SKIPPED: this suite needs ${feature}: ${String(error)}`);
    return false;
  }
}
