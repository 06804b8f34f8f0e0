/** What a shell does in each place, as arms of `case`. */
export interface Cases {
  /** By command and option: the option's value. */
  readonly valuesOf: readonly string[];
  /** By command. */
  readonly optionsOf: readonly string[];
  /** By command. */
  readonly argumentsOf: readonly string[];
}

/** Chooses the arm, in bash and zsh alike, which have $at, $option and $plain by then. */
export function dispatch(
  { valuesOf, optionsOf, argumentsOf }: Cases,
  { word }: { readonly word: string },
): string {
  return `  if [[ -n $option ]]; then
    case "$at $option" in
${valuesOf.join("\n")}
    esac
  elif [[ -z $plain && ${word} == -* ]]; then
    case $at in
${optionsOf.join("\n")}
    esac
  else
    case $at in
${argumentsOf.join("\n")}
    esac
  fi`;
}

/** One arm, of commands or of commands and options. */
export function arm(patterns: readonly string[], action: string): string {
  return `      ${patterns.map(quoted).join(" | ")}) ${action} ;;`;
}

export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
