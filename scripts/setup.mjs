// Makes a checkout runnable: installs when the lockfile changed, builds when a source changed.
// `npm start` and `npm test` call it first; when nothing changed it costs a fraction of a second
// and, above all, never deletes node_modules under a running cluster.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

const root = join(import.meta.dirname, "..");
const hashOf = (files) => {
  const hash = createHash("sha256");
  for (const file of files)
    hash
      .update(file)
      .update("\0")
      .update(readFileSync(join(root, file)));
  return hash.digest("hex");
};
const filesUnder = (folder) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
const run = (command, args) => {
  const result = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (result.status !== 0) process.exit(result.status ?? 1);
};
/** Runs `step` unless the stamp file says that it ran for exactly these inputs. */
const once = (stampFile, inputs, step) => {
  const stamp = join(root, stampFile);
  const hash = hashOf(inputs);
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return;
  step();
  writeFileSync(stamp, hash);
};

once("node_modules/.quorate-install", ["package.json", "package-lock.json"], () => {
  console.error("installing packages (package-lock.json changed)…");
  run("npm", ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"]);
});
once(
  "dist/.quorate-build",
  [
    "package-lock.json",
    "tsconfig.json",
    "tsconfig.build.json",
    ...filesUnder("src"),
    ...filesUnder("bench"),
    ...filesUnder("test/sim"),
    ...filesUnder("test/support"),
  ],
  () => {
    console.error("building…");
    run(process.execPath, [
      join("node_modules", "typescript", "bin", "tsc"),
      "-p",
      "tsconfig.build.json",
    ]);
  },
);
