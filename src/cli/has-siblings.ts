import type { Conflict } from "../client/reading.ts";
import { CliError, EXIT } from "./exit-code.ts";

/** Where there is room for one value only. */
export function hasSiblings({ siblings }: Conflict): CliError {
  return new CliError(
    EXIT.conflict,
    `the key has ${siblings.length} siblings: ${siblings.map(({ version }) => version).join(", ")}`,
    "`kv get KEY -o json` prints them with their context; `kv put KEY VALUE --causal-context CONTEXT` puts one value in their place.",
  );
}
