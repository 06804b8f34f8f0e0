import { arm, dispatch, quoted } from "./cases.ts";
import { allCommands, valuedOptions } from "./spec.ts";
import type { CommandSpec, Word } from "./spec.ts";

/** Needs nothing but bash: the package bash-completion may be missing. */
export function bashScript(spec: CommandSpec): string {
  const commands = allCommands(spec);
  const paths = commands.map(({ path }) => `'${path}'`);
  const optionsOf = commands.map(({ path, options }) =>
    arm([path], assign(options.flatMap(({ names }) => names).join(" "))),
  );
  const argumentsOf = commands.map(({ path, commands: below, argument }) =>
    arm(
      [path],
      assign(
        wordOf({ ...argument, values: [...below.map(({ name }) => name), ...argument.values] }),
      ),
    ),
  );
  const valuesOf = commands.flatMap(({ path, options }) =>
    options.flatMap(({ names, value }) =>
      value === undefined || wordOf(value) === ""
        ? []
        : [
            arm(
              names.map((name) => `${path} ${name}`),
              assign(wordOf(value)),
            ),
          ],
    ),
  );
  return `# Completion of kv for bash, made by \`kv completion bash\`.
_kv() {
  local cur=\${COMP_WORDS[COMP_CWORD]} at=kv option= plain= words= i word
  local valued=' ${valuedOptions(spec).join(" ")} '
  local -a paths=(${paths.join(" ")})
  local known="|$(IFS='|'; echo "\${paths[*]}")|"
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ -n $option ]]; then
      # bash makes three words of --output=json.
      [[ $word == '=' ]] || option=
    elif [[ $word == -- ]]; then
      plain=1
    elif [[ -z $plain && -n $word && $valued == *" $word "* ]]; then
      option=$word
    elif [[ -z $plain && $known == *"|$at $word|"* ]]; then
      at="$at $word"
    fi
  done
  [[ $cur != '=' ]] || cur=
${dispatch({ valuesOf, optionsOf, argumentsOf }, { word: "$cur" })}
  local IFS=$'\\n'
  if [[ $words == ${FILES} ]]; then
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -f -- "$cur"))
  else
    COMPREPLY=($(IFS=' '; compgen -W "$words" -- "$cur"))
  fi
}
complete -F _kv kv
`;
}

/** No word of kv has this form. */
const FILES = "@files";

function wordOf({ values, files }: Word): string {
  return files && values.length === 0 ? FILES : values.join(" ");
}

function assign(words: string): string {
  return `words=${quoted(words)}`;
}
