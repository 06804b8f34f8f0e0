import { CommanderError, Option } from "commander";
import { VERSION } from "../core/build.ts";
import { addBucketCommands } from "./commands/bucket.ts";
import { addCompletion } from "./commands/completion.ts";
import { addConfigCommands } from "./commands/config.ts";
import { addDel } from "./commands/del.ts";
import { addDev } from "./commands/dev.ts";
import { addExport } from "./commands/export.ts";
import { addGet } from "./commands/get.ts";
import { addImport } from "./commands/import.ts";
import { addKeyCommands } from "./commands/key.ts";
import { addLs } from "./commands/ls.ts";
import { addProfileCommands } from "./commands/profile.ts";
import { addPut } from "./commands/put.ts";
import { addServe } from "./commands/serve.ts";
import { addStatus } from "./commands/status.ts";
import { addVersion } from "./commands/version.ts";
import { EXIT, EXIT_DOC, exitCodeOf } from "./exit-code.ts";
import { FORMATS } from "./formats.ts";
import type { GlobalFlags } from "./global-options.ts";
import { KvCommand } from "./kv-command.ts";
import { Output } from "./output.ts";
import { applySettings } from "./settings/apply.ts";
import { SETTINGS, docOf } from "./settings/table.ts";
import type { Settle } from "./settle.ts";
import type { Shell } from "./shell.ts";

/** @returns the exit code; never throws. */
export async function run(argv: readonly string[], shell: Shell): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = buildProgram(shell, (action) => async (...args) => {
    exitCode = await action(outputOf(), ...args);
  });
  const outputOf = () => new Output(outputOptions(program.opts<GlobalFlags>()), shell);
  try {
    await program.parseAsync(argv, { from: "user" });
    return exitCode;
  } catch (error) {
    // commander has printed its own word already; help and version are no failures.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    await outputOf().error(error);
    return exitCodeOf(error);
  }
}

/** All commands. What becomes of an action is up to `settle`: tests and docs run none. */
export function buildProgram(shell: Shell, settle: Settle): KvCommand {
  const program = new KvCommand("kv");
  describeProgram(program, shell);
  for (const [title, commands] of GROUPS) {
    program.commandsGroup(title);
    for (const add of commands) add(program, shell, settle);
  }
  // Now, so that it stands in the last group.
  return program.helpCommand("help [command]", "explain a command");
}

/** As the help lists them: what most users need stands first. */
const GROUPS = [
  ["Keys:", [addGet, addPut, addDel, addLs, addImport, addExport]],
  ["Cluster:", [addStatus, addKeyCommands, addBucketCommands]],
  ["Nodes:", [addDev, addServe]],
  ["This program:", [addConfigCommands, addProfileCommands, addCompletion, addVersion]],
] as const;

function outputOptions({ output, quiet = false, color = true }: GlobalFlags) {
  return { format: output, quiet, color };
}

function describeProgram(program: KvCommand, shell: Shell): void {
  program
    .description("Quorate: a quorum-replicated key-value store.")
    .version(VERSION, "--version", "print the version")
    .option("-e, --endpoints <URL,…>", docOf("endpoints"), SETTINGS.endpoints.default)
    .addOption(
      new Option("-o, --output <FORMAT>", docOf("output"))
        .choices(FORMATS)
        .default(SETTINGS.output.default),
    )
    .option("--profile <NAME>", "settings saved under this name, or KV_PROFILE; none for none")
    .option("-q, --quiet", "print no notes on stderr, only errors")
    .option("--no-color", "print no colours; NO_COLOR=1 means the same, FORCE_COLOR=1 the contrary")
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError("(--help explains the command)")
    .configureOutput({
      writeOut: (text) => shell.stdout.write(text),
      writeErr: (text) => shell.stderr.write(text),
      outputError: (text, print) => print(text.replace(/^error: /, "kv: ")),
    })
    .exitOverride()
    .hook("preAction", (_program, command) => applySettings(command, shell.env))
    .examples(
      "kv dev                           # a cluster of three nodes on this machine",
      "kv put greeting hello            # in another terminal",
      "kv get greeting",
    )
    .addHelpText("after", () => exitCodes());
}

function exitCodes(): string {
  const codes = (Object.keys(EXIT) as (keyof typeof EXIT)[]).map(
    (name) => `  ${String(EXIT[name]).padStart(3)}  ${EXIT_DOC[name]}`,
  );
  return ["", "Exit codes:", ...codes].join("\n");
}
