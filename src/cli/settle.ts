import type { Output } from "./output.ts";

/** Runs a command's action with its output, and keeps the exit code that it ends with. */
export type Settle = <A extends unknown[]>(
  action: (output: Output, ...args: A) => Promise<number>,
) => (...args: A) => Promise<void>;
