import type { Address, OptionName, OPTIONS } from "../../src/core/config.ts";
import type { ERRORS } from "../../src/core/errors.ts";

export function renderErrors(errors: typeof ERRORS): string;

export function renderOptions(
  options: typeof OPTIONS,
  spelling: {
    flagOf: (name: OptionName) => string;
    variableOf: (name: OptionName) => string;
    addressText: (address: Address) => string;
  },
): string;
