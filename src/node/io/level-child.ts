import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

/** LevelDB's binding, found from here: the child has no module of its own to look from. */
const BINDING = pathToFileURL(createRequire(import.meta.url).resolve("classic-level")).href;

const COMPACT = `
const [binding, path] = process.argv.slice(1);
const { ClassicLevel } = await import(binding);
const db = new ClassicLevel(path, { keyEncoding: "buffer" });
await db.open();
await db.compactRange(Buffer.of(0), Buffer.of(255, 255));
await db.close();
`;

const REPAIR = `
const [binding, ...paths] = process.argv.slice(1);
const { ClassicLevel } = await import(binding);
for (const path of paths) {
  await ClassicLevel.repair(path);
  console.log(path);
}
`;

/** A larger database than can be compacted in this time is not known to be deadly. */
const COMPACT_MS_MAX = 60_000;
const REPAIR_MS_MAX = 600_000;
/** Folders that one child is given: their names must fit on a command line. */
const FOLDERS_AT_ONCE = 200;

interface Ended {
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

/**
 * What LevelDB does to a database whose keys have rotted out of order may abort its process (an
 * assertion in its table builder), so it is tried in a child process.
 *
 * @returns whether the process that compacts this database dies of it.
 */
export async function diesCompacting(path: string): Promise<boolean> {
  const { signal } = await run(COMPACT, [path], COMPACT_MS_MAX);
  return signal === "SIGABRT" || signal === "SIGSEGV";
}

/** Repairs each database by itself. @returns those that were; the others abort the process or fail. */
export async function repairEach(paths: readonly string[]): Promise<readonly string[]> {
  const repaired: string[] = [];
  let rest = [...paths];
  // Ends: each turn leaves out at least the path at which its child ended.
  while (rest.length > 0) {
    const some = rest.slice(0, FOLDERS_AT_ONCE);
    const { output } = await run(REPAIR, some, REPAIR_MS_MAX);
    const done = new Set(output.split("\n"));
    const failed = some.find((path) => !done.has(path));
    repaired.push(...some.filter((path) => done.has(path)));
    rest = rest.slice(failed === undefined ? some.length : some.indexOf(failed) + 1);
  }
  return repaired;
}

function run(script: string, args: readonly string[], timeoutMs: number): Promise<Ended> {
  const child = spawn(
    process.execPath,
    ["--input-type=module", "--eval", script, BINDING, ...args],
    { stdio: ["ignore", "pipe", "ignore"], timeout: timeoutMs, killSignal: "SIGKILL" },
  );
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (_code, signal) => resolve({ signal, output }));
  });
}
