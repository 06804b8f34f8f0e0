import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { bashScript } from "../../../src/cli/completion/bash.ts";
import { fishScript } from "../../../src/cli/completion/fish.ts";
import { allCommands, specOf, valuedOptions } from "../../../src/cli/completion/spec.ts";
import { zshScript } from "../../../src/cli/completion/zsh.ts";
import { buildProgram } from "../../../src/cli/program.ts";
import { needs } from "../../support/needs.ts";
import { run } from "../../support/run.ts";
import { idleShell, kv } from "../../support/shell.ts";

const spec = specOf(buildProgram(idleShell(), () => async () => undefined));
const folder = mkdtempSync(join(tmpdir(), "kv-completion-"));
afterAll(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, "rows.jsonl"), "");
writeFileSync(join(folder, "two words.jsonl"), "");

const SHELLS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

test.for(Object.entries(SHELLS))("kv completion %s prints the script", async ([name, render]) => {
  const { stdout, exitCode } = await kv(["completion", name]);
  expect(exitCode).toBe(0);
  expect(stdout.toString()).toBe(render(spec));
});

test("kv completion of an unknown shell: exit code 2, and which there are", async () => {
  const { stderr, exitCode } = await kv(["completion", "tcsh"]);
  expect(exitCode).toBe(2);
  expect(stderr).toContain("bash, zsh, fish");
});

test("an option takes a value in all commands or in none, as the scripts assume", () => {
  const valued = new Set(valuedOptions(spec));
  const flags = allCommands(spec)
    .flatMap(({ options }) => options)
    .filter(({ value }) => value === undefined)
    .flatMap(({ names }) => names);
  expect(flags.filter((name) => valued.has(name))).toEqual([]);
  expect(flags).toContain("--quiet");
});

/** Lines of commands as typed so far, the cursor at the end, and the words that fit there. */
const TYPED = [
  ["kv sta", ["status"]],
  ["kv key ", ["help", "inspect", "locate", "repair"]],
  ["kv -o json key ins", ["inspect"]],
  ["kv -q key ins", ["inspect"]],
  ["kv --profile key sta", ["status"]],
  ["kv get key ins", []],
  ["kv get greeting -o j", ["json", "jsonl"]],
  ["kv put greeting hello --durability ", ["async", "sync"]],
  ["kv put greeting --durab", ["--durability"]],
  ["kv completion ", ["bash", "fish", "zsh"]],
  ["kv help comp", ["completion"]],
  ["kv profile u", ["use"]],
  ["kv import ro", ["rows.jsonl"]],
  ["kv export out --keys ro", ["rows.jsonl"]],
  ["kv get --timeout ", []],
] as const;

describe("bash", () => {
  /** What `complete` would offer, each in lines of its own. */
  function offered(lines: readonly (readonly string[])[]): readonly (readonly string[])[] {
    const calls = lines.map((words) => {
      const list = words.map((word) => `'${word}'`).join(" ");
      return `COMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; COMPREPLY=(); _kv
printf '%s\\n' "\${COMPREPLY[@]}" "="`;
    });
    const registered = `complete -p kv | grep -q 'complete -F _kv kv' || exit 1`;
    const script = [`cd '${folder}'`, "set -u", bashScript(spec), registered, ...calls, ""];
    const file = join(folder, "try.bash");
    writeFileSync(file, script.join("\n"));
    const blocks = run("bash", file).split("=\n").slice(0, -1);
    return blocks.map((block) => block.split("\n").filter((word) => word !== ""));
  }

  test("offers what fits", () => {
    const lines = TYPED.map(([line]) => line.split(" "));
    const expected = TYPED.map(([, words]) => [...words]);
    expect(offered(lines).map((words) => words.toSorted())).toEqual(expected);
  });

  test("takes --output=json for the three words that bash makes of it", () => {
    const lines = [
      ["kv", "get", "k", "--output", "=", "js"],
      ["kv", "get", "k", "--output", "="],
      ["kv", "--output", "=", "json", "key", "loc"],
    ];
    expect(offered(lines)).toEqual([["json", "jsonl"], ["table", "json", "jsonl"], ["locate"]]);
  });

  test("keeps a file's name with a space in one piece", () => {
    expect(offered([["kv", "import", "two"]])).toEqual([["two words.jsonl"]]);
  });

  test("every command offers all its options and all commands below it", () => {
    const commands = allCommands(spec).filter(({ name }) => name !== "help");
    const paths = commands.map(({ path }) => path.split(" "));
    const dashed = offered(paths.map((words) => [...words, "-"]));
    const options = commands.map((command) => command.options.flatMap(({ names }) => names));
    expect(dashed).toEqual(options);
    const groups = commands.filter(({ commands: below }) => below.length > 0);
    const words = offered(groups.map(({ path }) => [...path.split(" "), ""]));
    expect(words).toEqual(groups.map(({ commands: below }) => below.map(({ name }) => name)));
    expect(commands.length).toBeGreaterThan(20);
  });
});

describe.skipIf(!needs("fish"))("fish", () => {
  test("offers what fits", () => {
    writeFileSync(join(folder, "kv.fish"), fishScript(spec));
    const asked = TYPED.map(([line]) => `complete -C '${line}'; echo =`);
    const script = [`cd '${folder}'`, "source kv.fish", ...asked].join("\n");
    const blocks = run("fish", "--no-config", "-c", script).split("=\n").slice(0, -1);
    const words = blocks.map((block) =>
      block
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => line.split("\t")[0]),
    );
    expect(words.map((list) => list.toSorted((a = "", b = "") => (a < b ? -1 : 1)))).toEqual(
      TYPED.map(([, list]) => [...list]),
    );
  });
});

describe.skipIf(!needs("zsh"))("zsh", () => {
  test("completes the word at a press of Tab", () => {
    const certain = [
      ["kv sta", "status"],
      ["kv -o json key ins", "-o|json|key|inspect"],
      ["kv get k --output=ta", "get|k|--output=table"],
      ["kv put k --durability a", "put|k|--durability|async"],
      ["kv put k --durab", "put|k|--durability"],
      ["kv completion f", "completion|fish"],
      ["kv help comp", "help|completion"],
      ["kv import ro", "import|rows.jsonl"],
      ["kv export out --keys ro", "export|out|--keys|rows.jsonl"],
    ] as const;
    writeFileSync(join(folder, "kv.zsh"), zshScript(spec));
    writeFileSync(
      join(folder, ".zshrc"),
      `PS1=; cd '${folder}'; autoload -Uz compinit; compinit -u -D; source ./kv.zsh
kv() { print -r -- "got<\${(j:|:)@}>" }`,
    );
    const typed = certain.map(
      ([line]) => `zpty -w z '${line}'$'\\t'; zpty -r z told '*got<*>*'; print -r -- "$told"`,
    );
    writeFileSync(
      join(folder, "type.zsh"),
      ["zmodload zsh/zpty", `zpty z env ZDOTDIR='${folder}' TERM=dumb zsh -i`, ...typed, ""].join(
        "\n",
      ),
    );
    const told = run("zsh", "-f", join(folder, "type.zsh"));
    expect([...told.matchAll(/got<(.*)>/g)].map((match) => match[1])).toEqual(
      certain.map(([, words]) => words),
    );
  });

  test("works from a folder of $fpath as well", () => {
    writeFileSync(join(folder, "_kv"), zshScript(spec));
    writeFileSync(
      join(folder, ".zshrc"),
      `PS1=; fpath=('${folder}' $fpath); autoload -Uz compinit; compinit -u -D
kv() { print -r -- "got<\${(j:|:)@}>" }`,
    );
    writeFileSync(
      join(folder, "type.zsh"),
      `zmodload zsh/zpty
zpty z env ZDOTDIR='${folder}' TERM=dumb zsh -i
zpty -w z 'kv sta'$'\\t'; zpty -r z told '*got<*>*'; print -r -- "$told"
`,
    );
    expect(run("zsh", "-f", join(folder, "type.zsh"))).toContain("got<status>");
  });
});
