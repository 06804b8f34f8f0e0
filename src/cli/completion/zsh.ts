import { arm, dispatch, quoted } from "./cases.ts";
import { allCommands, valuedOptions } from "./spec.ts";
import type { CommandSpec } from "./spec.ts";

interface Offer {
  readonly word: string;
  readonly doc: string;
}

/** Works sourced from .zshrc and as a file \`_kv\` in a folder of $fpath. */
export function zshScript(spec: CommandSpec): string {
  const commands = allCommands(spec);
  const optionsOf = commands.map(({ path, options }) =>
    arm([path], offers(options.flatMap(({ names, doc }) => names.map((word) => ({ word, doc }))))),
  );
  const argumentsOf = commands.map(({ path, commands: below, argument }) => {
    const words = below.map(({ name, doc }) => ({ word: name, doc }));
    const values = argument.values.map((word) => ({ word, doc: "" }));
    const all = [...words, ...values];
    return arm([path], argument.files && all.length === 0 ? "_files" : offers(all));
  });
  const valuesOf = commands.flatMap(({ path, options }) =>
    options.flatMap(({ names, value }) => {
      if (value === undefined || (!value.files && value.values.length === 0)) return [];
      const patterns = names.map((name) => `${path} ${name}`);
      const values = value.values.map((word) => ({ word, doc: "" }));
      return [arm(patterns, value.files ? "_files" : offers(values))];
    }),
  );
  return `#compdef kv
# Completion of kv for zsh, made by \`kv completion zsh\`.
_kv() {
  local at=kv option= plain= i word
  local -a offers
  local -a valued=(${valuedOptions(spec).join(" ")})
  local -a known=(${commands.map(({ path }) => quoted(path)).join(" ")})
  for ((i = 2; i < CURRENT; i++)); do
    word=\${words[i]}
    if [[ -n $option ]]; then
      option=
    elif [[ $word == -- ]]; then
      plain=1
    elif [[ -z $plain ]] && (( \${valued[(Ie)$word]} )); then
      option=$word
    elif [[ -z $plain ]] && (( \${known[(Ie)$at $word]} )); then
      at="$at $word"
    fi
  done
  word=\${words[CURRENT]}
  if [[ -z $option && -z $plain && $word == --*=* ]]; then
    option=\${word%%=*}
    compset -P '*='
  fi
${dispatch({ valuesOf, optionsOf, argumentsOf }, { word: "$word" })}
  (( $#offers == 0 )) || _describe -t kv kv offers -o nosort
}
if [[ \${funcstack[1]} == _kv ]]; then _kv "$@"; else compdef _kv kv; fi
`;
}

function offers(list: readonly Offer[]): string {
  const colon = (text: string) => text.replaceAll(":", "\\:");
  const words = list.map(({ word, doc }) =>
    quoted(doc === "" ? colon(word) : `${colon(word)}:${doc}`),
  );
  return `offers=(${words.join(" ")})`;
}
