import { spawnSync } from "node:child_process";

/**
 * Asks the machine for a program that a test drives. In CI (CI=true) a missing one fails the test,
 * elsewhere the suite is skipped under a name that says what is lacking.
 *
 * Use: `describe.skipIf(!needs("nginx"))(…)`.
 */
export function needs(program: string): boolean {
  const found = spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
  if (found) return true;
  const message = `this suite needs '${program}' on PATH (Debian: apt-get install ${program})`;
  if (process.env["CI"] === "true") throw new Error(message);
  console.warn(`SKIPPED: ${message}`);
  return false;
}
