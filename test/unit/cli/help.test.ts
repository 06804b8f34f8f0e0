import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, describe, expect, test } from "vitest";
import { Command } from "commander";
import type { KvCommand } from "../../../src/cli/kv-command.ts";
import { buildProgram } from "../../../src/cli/program.ts";
import { idleShell, kv } from "../../support/shell.ts";

const program = buildProgram(idleShell(), () => async () => undefined);
const commands = withAllBelow(program);
const examples = commands.flatMap((command) =>
  command.shown.map((line): [string, string] => [pathOf(command), line]),
);
const folder = mkdtempSync(join(tmpdir(), "kv-help-"));
mkdirSync(join(folder, ".config/fish/completions"), { recursive: true });
mkdirSync(join(folder, "kv"));
writeFileSync(join(folder, "kv/profiles.json"), '{"version":1,"profiles":{"staging":{}}}');
afterAll(() => rmSync(folder, { recursive: true }));

function withAllBelow(command: KvCommand): readonly KvCommand[] {
  const below = command.commands as readonly KvCommand[];
  return [command, ...below.flatMap(withAllBelow)];
}

function pathOf(command: Command): string {
  const { parent } = command;
  return parent === null ? command.name() : `${pathOf(parent)} ${command.name()}`;
}

/** What a real shell makes of a line: the arguments of each `kv` in it. None is run. */
function invocations(line: string): readonly (readonly string[])[] {
  const log = join(folder, "log");
  writeFileSync(log, "");
  const script = `kv() { printf '%s\\0' "$#" "$@" >>"$LOG"; }\n${line}\n`;
  spawnSync("bash", ["-c", script], {
    cwd: folder,
    env: { PATH: process.env["PATH"], HOME: folder, LOG: log },
    stdio: ["ignore", "ignore", "ignore"],
  });
  const words = readFileSync(log, "utf8").split("\0").slice(0, -1);
  const found: string[][] = [];
  while (words.length > 0) found.push(words.splice(0, Number(words.shift())));
  return found;
}

/** The command that this command line would have run. @throws when the program refuses it. */
async function parsed(argv: readonly string[]): Promise<string> {
  let ran = "";
  const shell = { ...idleShell(), env: { XDG_CONFIG_HOME: folder } };
  const real = buildProgram(shell, () => async (...args: unknown[]) => {
    const self = args.at(-1);
    if (self instanceof Command) ran = pathOf(self);
  });
  await real.parseAsync(argv, { from: "user" });
  return ran;
}

describe("every command", () => {
  test.for(commands.map(pathOf))("%s shows examples, a summary and what it does", async (path) => {
    const { stdout, exitCode } = await kv([...path.split(" ").slice(1), "--help"]);
    expect(exitCode).toBe(0);
    expect(stdout.toString()).toMatch(/\n\nExamples?:\n {2}\S/);
    const command = commands.find((one) => pathOf(one) === path);
    expect(command?.description()).not.toBe("");
    expect(command?.summary() === "").toBe(path === "kv");
  });
});

describe("the example", () => {
  test.for(examples)("of %s: %s", async ([path, line]) => {
    const argvs = invocations(line);
    expect(argvs.length).toBeGreaterThan(0);
    const ran = await Promise.all(argvs.map(parsed));
    // Another command may stand in the same pipe.
    expect(ran.filter((one) => `${one} `.startsWith(`${path} `))).not.toEqual([]);
  });

  test("that is wrong is noticed", async () => {
    await expect(parsed(["get"])).rejects.toThrow("missing required argument");
    await expect(parsed(["get", "k", "-o", "xml"])).rejects.toThrow("Allowed choices");
    await expect(parsed(["get", "k", "--fast"])).rejects.toThrow("unknown option");
    expect(invocations(`FOO=1 kv a "b c" | kv '' # kv no`)).toHaveLength(2);
  });
});
