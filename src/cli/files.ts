import { CliError, EXIT } from "./exit-code.ts";

const REASONS = new Map([
  ["ENOENT", "there is no such file or folder"],
  ["EACCES", "permission denied"],
  ["EISDIR", "it is a folder"],
  ["ENOTDIR", "a part of the path is no folder"],
  ["ENOSPC", "the disk is full"],
]);

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

/** A file that a user named and that cannot be used: the command line's mistake, not a bug. */
export function fileError(verb: "read" | "write", file: string, error: unknown): CliError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return new CliError(
    EXIT.usage,
    `cannot ${verb} '${file}': ${REASONS.get(code) ?? String(error)}`,
  );
}
