import { CliError, EXIT } from "../exit-code.ts";
import { SETTING_NAMES, SETTINGS } from "./table.ts";
import type { SettingName } from "./table.ts";

export type Origin = "flag" | "variable" | "profile" | "default";
export type Env = Readonly<Record<string, string | undefined>>;

/** Settings under a name, as texts. */
export interface Profile {
  readonly name: string;
  readonly file: string;
  readonly texts: ReadonlyMap<SettingName, string>;
}

export interface Effective {
  readonly name: SettingName;
  /** null: each command has its own default. */
  readonly value: string | number | null;
  readonly origin: Origin;
  /** What a user would change: the flag, the variable, the profile; null for a default. */
  readonly from: string | null;
}

/** Flag over variable over profile over default. An empty variable counts as none. Pure. */
export function effectiveSettings({
  flags,
  env,
  profile,
}: {
  flags: ReadonlyMap<SettingName, string | number>;
  env: Env;
  profile: Profile | undefined;
}): readonly Effective[] {
  return SETTING_NAMES.map((name): Effective => {
    const { flag, variable, default: value = null } = SETTINGS[name];
    const given = flags.get(name);
    if (given !== undefined) return { name, value: given, origin: "flag", from: flag };
    const text = env[variable] ?? "";
    if (text !== "") {
      return { name, value: parsed(name, text, variable), origin: "variable", from: variable };
    }
    const kept = profile?.texts.get(name);
    if (profile === undefined || kept === undefined) {
      return { name, value, origin: "default", from: null };
    }
    const from = `profile ${profile.name}`;
    return {
      name,
      value: parsed(name, kept, `${from} in ${profile.file}`),
      origin: "profile",
      from,
    };
  });
}

function parsed(name: SettingName, text: string, where: string): string | number {
  const { parse, form } = SETTINGS[name];
  const value = parse(text);
  if (value !== undefined) return value;
  throw new CliError(EXIT.usage, `${where}: '${text}' is no ${name}; it must be ${form}`);
}
