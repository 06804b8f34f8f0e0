import { allCommands, valuedOptions } from "./spec.ts";
import type { CommandSpec, OptionSpec } from "./spec.ts";

export function fishScript(spec: CommandSpec): string {
  const commands = allCommands(spec);
  return `# Completion of kv for fish, made by \`kv completion fish\`.
# Whether the words before the cursor lead to this command.
function __kv_at
  set -l known ${commands.map(({ path }) => quoted(path)).join(" ")}
  set -l valued ${valuedOptions(spec).join(" ")}
  set -l at kv
  set -l skip 0
  set -l tokens (commandline -opc)
  for word in $tokens[2..-1]
    if test $skip = 1
      set skip 0
    else if test "$word" = --
      break
    else if contains -- $word $valued
      set skip 1
    else if contains -- "$at $word" $known
      set at "$at $word"
    end
  end
  test "$at" = "$argv[1]"
end
complete -c kv -e
complete -c kv -f
${commands.flatMap(linesOf).join("\n")}
`;
}

function linesOf({ path, commands, argument, options }: CommandSpec): readonly string[] {
  const here = `complete -c kv -n ${quoted(`__kv_at ${quoted(path)}`)}`;
  return [
    ...commands.map(({ name, doc }) => `${here} -a ${name} -d ${quoted(doc)}`),
    ...(argument.values.length > 0 ? [`${here} -a ${quoted(argument.values.join(" "))}`] : []),
    ...(argument.files ? [`${here} -F`] : []),
    ...options.map((option) => `${here} ${optionText(option)}`),
  ];
}

function optionText({ names, doc, value }: OptionSpec): string {
  const spelled = names.map((name) =>
    name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
  );
  return [...spelled, ...valueText(value), `-d ${quoted(doc)}`].join(" ");
}

function valueText(value: OptionSpec["value"]): readonly string[] {
  if (value === undefined) return [];
  if (value.files) return ["-r -F"];
  return value.values.length === 0 ? ["-x"] : [`-x -a ${quoted(value.values.join(" "))}`];
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
