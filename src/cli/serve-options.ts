import type { Command } from "commander";
import { OPTIONS, OPTION_NAMES, addressText, flagOf, variableOf } from "../core/config.ts";
import type { Config, OptionName } from "../core/config.ts";
import { KvError } from "../core/errors.ts";
import { parseConfig } from "../core/parse-config.ts";
import type { OptionTexts } from "../core/parse-config.ts";

/** One flag for each row of the option table. */
export function addOptionTable(command: Command): void {
  for (const name of OPTION_NAMES) {
    const { doc, placeholder } = OPTIONS[name];
    const origin = [defaultText(name), variableOf(name)].filter((part) => part !== "").join("; ");
    command.option(`${flagOf(name)} <${placeholder}>`, `${doc} (${origin})`);
  }
}

function defaultText(name: OptionName): string {
  const value = OPTIONS[name].default;
  if (value === undefined) return "";
  if (typeof value !== "object") return `default ${value}`;
  return "host" in value ? `default ${addressText(value)}` : "";
}

/**
 * Only variables of the table count: others of the same prefix are common, a Kubernetes service
 * named `kv` gives every pod `KV_PORT`.
 */
export function parseServeOptions({
  flags,
  env,
  file,
}: {
  flags: ReadonlyMap<string, unknown>;
  env: Readonly<Record<string, string | undefined>>;
  file: OptionTexts;
}): Config {
  const variables = OPTION_NAMES.flatMap((name): [string, string][] => {
    const text = env[variableOf(name)];
    return text === undefined ? [] : [[name, text]];
  });
  const given = OPTION_NAMES.flatMap((name): [string, string][] => {
    const text = flags.get(name);
    return typeof text === "string" ? [[name, text]] : [];
  });
  return parseConfig({ flags: new Map(given), variables: new Map(variables), file });
}

/** A JSON object whose keys are option names and whose values are texts or numbers. */
export function parseConfigFile(text: string, file: string): OptionTexts {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new KvError("option-invalid", `${file} is not JSON: ${String(error)}`);
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw new KvError("option-invalid", `${file} does not hold one JSON object`);
  }
  return new Map(
    Object.entries(content).map(([name, value]: [string, unknown]) => {
      if (typeof value === "string" || typeof value === "number") return [name, String(value)];
      throw new KvError("option-invalid", `'${name}' in ${file} is neither text nor a number`);
    }),
  );
}
