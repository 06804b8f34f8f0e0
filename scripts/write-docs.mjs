// Writes docs/errors.md, docs/options.md and docs/kv.md from the built code (`npm run build` first).
// With --check it writes nothing and exits 1 when a page is stale.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { renderErrors, renderKv, renderOptions } from "./docs/render.mjs";

const root = join(import.meta.dirname, "..");
const [core, cli] = ["core", "cli"].map((folder) => join(root, "dist", "src", folder));
if (!existsSync(core)) {
  console.error("dist/ is missing: run `npm run build` first");
  process.exit(1);
}
const { ERRORS } = await import(join(core, "errors.js"));
const { OPTIONS, OPTION_NAMES, flagOf, variableOf, addressText } = await import(
  join(core, "config.js")
);
const { EXIT, EXIT_DOC } = await import(join(cli, "exit-code.js"));
const { SETTINGS } = await import(join(cli, "settings", "table.js"));
const { buildProgram } = await import(join(cli, "program.js"));
// Its commands are described, not run.
const program = buildProgram(process, () => () => Promise.resolve());

const pages = [
  ["docs/errors.md", renderErrors(ERRORS)],
  ["docs/options.md", renderOptions(OPTIONS, { flagOf, variableOf, addressText })],
  [
    "docs/kv.md",
    renderKv(program, {
      exit: EXIT,
      exitDoc: EXIT_DOC,
      settings: SETTINGS,
      nodeFlags: OPTION_NAMES.map(flagOf),
    }),
  ],
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
