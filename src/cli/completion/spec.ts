import type { Argument, Command, Option } from "commander";

/** What a shell may offer in the place of a word. */
export interface Word {
  readonly values: readonly string[];
  /** A name of the file system fits. */
  readonly files: boolean;
}

export interface OptionSpec {
  /** As typed: `-o`, `--output`. */
  readonly names: readonly string[];
  readonly doc: string;
  /** undefined: it takes no value. */
  readonly value: Word | undefined;
}

/** All that completion knows of a command, whichever shell asks. */
export interface CommandSpec {
  /** `kv key inspect` */
  readonly path: string;
  readonly name: string;
  readonly doc: string;
  readonly options: readonly OptionSpec[];
  /** Of all places together. */
  readonly argument: Word;
  readonly commands: readonly CommandSpec[];
}

export function specOf(command: Command, parentPath = ""): CommandSpec {
  const help = command.createHelp();
  const path = `${parentPath} ${command.name()}`.trim();
  const commands = help.visibleCommands(command);
  const names = commands.map((one) => one.name());
  return {
    path,
    name: command.name(),
    doc: help.subcommandDescription(command),
    options: [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)].map(optionOf),
    argument: argumentOf(command),
    // commander makes its own command that explains another one, and tells nobody its parent.
    commands: commands.map((one) =>
      one.parent === null ? explaining(one.name(), path, names) : specOf(one, path),
    ),
  };
}

function explaining(name: string, path: string, others: readonly string[]): CommandSpec {
  const argument = { values: others.filter((other) => other !== name), files: false };
  const doc = "explain a command";
  return { path: `${path} ${name}`, name, doc, options: [], argument, commands: [] };
}

/** The command and all below it. */
export function allCommands(spec: CommandSpec): readonly CommandSpec[] {
  return [spec, ...spec.commands.flatMap(allCommands)];
}

/** Every option of any command that takes a value. Each does so in all commands that have it. */
export function valuedOptions(spec: CommandSpec): readonly string[] {
  const options = allCommands(spec).flatMap((command) => command.options);
  const names = options
    .filter(({ value }) => value !== undefined)
    .flatMap((option) => option.names);
  return [...new Set(names)].toSorted();
}

function optionOf({ short, long, description, flags, required, optional, argChoices }: Option) {
  const names = [short, long].filter((name) => name !== undefined);
  const takesValue = required || optional;
  const value = { values: argChoices ?? [], files: namesFile(flags) };
  return { names, doc: description, value: takesValue ? value : undefined };
}

function argumentOf({ registeredArguments }: Command): Word {
  const given: readonly Argument[] = registeredArguments;
  return {
    values: given.flatMap(({ argChoices }) => argChoices ?? []),
    files: given.some((argument) => namesFile(argument.name())),
  };
}

function namesFile(placeholder: string): boolean {
  return /\b(FILE|DIR)\b/.test(placeholder);
}
