import { CliError, EXIT } from "../exit-code.ts";
import { SETTING_NAMES, SETTINGS } from "./table.ts";
import type { SettingName } from "./table.ts";

/** What the file of profiles holds. */
export interface Profiles {
  /** The one that counts when nothing else is said. */
  readonly current: string | undefined;
  readonly profiles: ReadonlyMap<string, ReadonlyMap<SettingName, string>>;
}

const VERSION = 1;

export function isProfileName(text: string): boolean {
  return /^[a-z\d][\w.-]{0,62}$/i.test(text);
}

export function profilesText({ current, profiles }: Profiles): string {
  const entries = [...profiles].map(([name, texts]) => [name, Object.fromEntries(texts)]);
  const content = { version: VERSION, current, profiles: Object.fromEntries(entries) };
  return `${JSON.stringify(content, null, 2)}\n`;
}

/** Refuses what it does not know: a later save would lose it. */
export function parseProfiles(text: string, file: string): Profiles {
  const damaged = (why: string) =>
    new CliError(
      EXIT.usage,
      `the file of profiles is damaged: ${why} (${file})`,
      "Correct it or move it away; kv does not write over it. `--profile none` goes on without it.",
    );
  const { version, current, profiles, ...others } = objectOf(jsonOf(text, damaged), damaged);
  if (version !== VERSION) throw damaged(`its version is not ${VERSION}`);
  const [other] = Object.keys(others);
  if (other !== undefined) throw damaged(`'${other}' is unknown`);
  const known = new Map(
    Object.entries(objectOf(profiles, damaged)).map(([name, texts]) => {
      if (!isProfileName(name)) throw damaged(`no profile can be named '${name}'`);
      return [name, textsOf(name, objectOf(texts, damaged), damaged)];
    }),
  );
  if (current === undefined) return { current, profiles: known };
  if (typeof current !== "string" || !known.has(current)) {
    throw damaged("'current' names none of its profiles");
  }
  return { current, profiles: known };
}

type Damaged = (why: string) => CliError;

function jsonOf(text: string, damaged: Damaged): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw damaged(error instanceof Error ? error.message : String(error));
  }
}

function objectOf(content: unknown, damaged: Damaged): Readonly<Record<string, unknown>> {
  if (typeof content === "object" && content !== null && !Array.isArray(content)) {
    return { ...content };
  }
  throw damaged("where an object should be, there is none");
}

function textsOf(profile: string, content: Readonly<Record<string, unknown>>, damaged: Damaged) {
  return new Map(
    Object.entries(content).map(([key, text]): [SettingName, string] => {
      const name = SETTING_NAMES.find((one) => one === key);
      if (name === undefined) throw damaged(`'${key}' of '${profile}' is unknown`);
      if (typeof text === "string" && SETTINGS[name].parse(text) !== undefined) return [name, text];
      throw damaged(`'${key}' of '${profile}' is not ${SETTINGS[name].form}`);
    }),
  );
}
