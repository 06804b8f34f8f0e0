// Writes docs/errors.md and docs/options.md from the built tables (`npm run build` first).
// With --check it writes nothing and exits 1 when a page is stale.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { renderErrors, renderOptions } from "./docs/render.mjs";

const root = join(import.meta.dirname, "..");
const core = join(root, "dist", "src", "core");
if (!existsSync(core)) {
  console.error("dist/ is missing: run `npm run build` first");
  process.exit(1);
}
const { ERRORS } = await import(join(core, "errors.js"));
const { OPTIONS, flagOf, variableOf, addressText } = await import(join(core, "config.js"));

const pages = [
  ["docs/errors.md", renderErrors(ERRORS)],
  ["docs/options.md", renderOptions(OPTIONS, { flagOf, variableOf, addressText })],
];
const check = process.argv.includes("--check");
for (const [file, text] of pages) {
  const path = join(root, file);
  if (existsSync(path) && readFileSync(path, "utf8") === text) continue;
  if (check) {
    console.error(`${file} is stale: run \`npm run build && npm run docs\``);
    process.exitCode = 1;
  } else {
    writeFileSync(path, text);
    console.error(`wrote ${file}`);
  }
}
