import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { MUTANTS } from "../../support/mutants/table.mjs";
import { SCHEDULES } from "./schedules.ts";

const ROOT = join(import.meta.dirname, "../../..");
/** Built by `npm test` beforehand: mutants are edits of built files. */
const MAIN = join(ROOT, "dist/test/sim/main.js");
const REGISTER = pathToFileURL(join(ROOT, "test/support/mutants/register.mjs")).href;

const NAMED = [...new Set(SCHEDULES.flatMap(({ catches }) => catches))];

describe("directed schedules", () => {
  test.each(SCHEDULES)("$name", async ({ play }) => {
    const objecting = (await play()).filter(({ verdict }) => verdict !== "true");
    expect(objecting).toEqual([]);
  });

  test("each catches a mutant, and each mutant without seeds is named by one", () => {
    expect(SCHEDULES.filter(({ catches }) => catches.length === 0)).toEqual([]);
    expect(NAMED.filter((name) => !MUTANTS.has(name))).toEqual([]);
    const unnamed = [...MUTANTS].filter(
      ([name, { seeds }]) => seeds === 0 && !NAMED.includes(name),
    );
    expect(unnamed).toEqual([]);
  });

  test.each(NAMED)("every schedule that names the broken build %s catches it", (name) => {
    const checkers = [...(MUTANTS.get(name)?.checkers ?? []), "directed"];
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ["--import", REGISTER, MAIN, "--directed", "--catching", name].concat([
        "--caught-by",
        checkers.join(","),
      ]),
      { env: { ...process.env, KV_MUTANT: name }, encoding: "utf8" },
    );
    expect({ status, output: `${stdout}${stderr}` }).toMatchObject({ status: 0 });
  });
});
