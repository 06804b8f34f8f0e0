import type { Address, OptionName, OPTIONS } from "../../src/core/config.ts";
import type { ERRORS } from "../../src/core/errors.ts";
import type { EXIT, EXIT_DOC } from "../../src/cli/exit-code.ts";
import type { KvCommand } from "../../src/cli/kv-command.ts";
import type { SETTINGS } from "../../src/cli/settings/table.ts";

export function renderErrors(errors: typeof ERRORS): string;

export function renderOptions(
  options: typeof OPTIONS,
  spelling: {
    flagOf: (name: OptionName) => string;
    variableOf: (name: OptionName) => string;
    addressText: (address: Address) => string;
  },
): string;

export function renderKv(
  program: KvCommand,
  tables: {
    exit: typeof EXIT;
    exitDoc: typeof EXIT_DOC;
    settings: typeof SETTINGS;
    /** Flags that docs/options.md explains. */
    nodeFlags: readonly string[];
  },
): string;
