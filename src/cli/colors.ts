interface Circumstances {
  /** false: `--no-color`. */
  readonly flag: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly terminal: boolean;
}

/** The user's word first, then the variables that programs agree on, then where the output goes. */
export function wantsColors({ flag, env, terminal }: Circumstances): boolean {
  if (!flag || (env["NO_COLOR"] ?? "") !== "") return false;
  const forced = env["FORCE_COLOR"];
  if (forced !== undefined) return forced !== "0" && forced !== "false";
  return terminal && canPaint(env);
}

/** Of a terminal: whether it does more than print text line by line. */
export function canPaint(env: Circumstances["env"]): boolean {
  return env["TERM"] !== "dumb";
}
