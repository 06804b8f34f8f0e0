import { join } from "node:path";
import { pathToFileURL } from "node:url";

const REGISTER = pathToFileURL(join(import.meta.dirname, "mutants/register.mjs")).href;

export interface Build {
  /** Flags of `node` itself. */
  readonly execArgv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** How a node is started as a mutant of the table; without a name, as it is. */
export function buildOf(mutant: string | undefined): Build {
  if (mutant === undefined) return { execArgv: [], env: {} };
  return { execArgv: ["--import", REGISTER], env: { KV_MUTANT: mutant } };
}
