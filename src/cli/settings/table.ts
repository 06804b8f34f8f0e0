import { FORMATS } from "../formats.ts";

export const ENDPOINTS_DEFAULT = "http://127.0.0.1:7080";

interface SettingSpec {
  readonly flag: string;
  readonly variable: string;
  /** undefined: each command has its own. */
  readonly default: string | undefined;
  /** undefined for a text that no command would take. */
  readonly parse: (text: string) => string | number | undefined;
  /** What {@link parse} takes, to end the sentence "it must be …". */
  readonly form: string;
  readonly doc: string;
}

/** What a user may set once for all commands: as a flag, as a variable, or in a profile. */
export const SETTINGS = {
  endpoints: {
    flag: "--endpoints",
    variable: "KV_ENDPOINTS",
    default: ENDPOINTS_DEFAULT,
    parse: (text) => (listOf(text).length > 0 ? text : undefined),
    form: "a list of URLs, separated by commas",
    doc: "nodes to ask",
  },
  bucket: {
    flag: "--bucket",
    variable: "KV_BUCKET",
    default: "default",
    parse: (text) => (text === "" ? undefined : text),
    form: "the name of a bucket",
    doc: "bucket of the key",
  },
  timeout: {
    flag: "--timeout",
    variable: "KV_TIMEOUT",
    default: undefined,
    parse: wholeNumberOf,
    form: "a whole number of milliseconds from 1",
    doc: "longest time for all attempts together",
  },
  output: {
    flag: "--output",
    variable: "KV_OUTPUT",
    default: "table",
    parse: (text) => FORMATS.find((format) => format === text),
    form: `one of ${FORMATS.join(", ")}`,
    doc: "form of the output",
  },
} as const satisfies Readonly<Record<string, SettingSpec>>;

export type SettingName = keyof typeof SETTINGS;
export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[];

/** For the help of the flag. */
export function docOf(name: SettingName): string {
  return `${SETTINGS[name].doc}, or ${SETTINGS[name].variable}`;
}

export function listOf(text: string): readonly string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

export function wholeNumberOf(text: string): number | undefined {
  const value = Number(text);
  return /^\d+$/.test(text) && value >= 1 && Number.isSafeInteger(value) ? value : undefined;
}
