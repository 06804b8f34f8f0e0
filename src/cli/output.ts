import picocolors from "picocolors";
import { ERRORS, KvError } from "../core/errors.ts";
import { wantsColors } from "./colors.ts";
import { CliError, Interrupted } from "./exit-code.ts";
import type { Format } from "./formats.ts";
import { tell, write } from "./shell.ts";
import type { Shell } from "./shell.ts";

export interface OutputOptions {
  readonly format: Format;
  readonly quiet: boolean;
  /** false: `--no-color`. */
  readonly color: boolean;
}

type Colors = ReturnType<typeof picocolors.createColors>;

/** stdout carries data and nothing else; whatever a human should know goes to stderr. */
export class Output {
  readonly format: Format;
  /** For stdout. */
  readonly colors: Colors;
  readonly #shell: Shell;
  readonly #quiet: boolean;
  readonly #errorColors: Colors;

  constructor({ format, quiet, color }: OutputOptions, shell: Shell) {
    this.format = format;
    this.#shell = shell;
    this.#quiet = quiet;
    const { env, stdout, stderr } = shell;
    const wanted = { flag: color, env };
    const colorsFor = ({ isTTY = false }: { isTTY?: boolean }) =>
      picocolors.createColors(wantsColors({ ...wanted, terminal: isTTY }));
    this.colors = colorsFor(stdout);
    this.#errorColors = colorsFor(stderr);
  }

  data(data: string | Uint8Array): Promise<void> {
    return write(this.#shell.stdout, data);
  }

  /** `-o json` or `jsonl`: a program reads it. */
  get forPrograms(): boolean {
    return this.format !== "table";
  }

  /** `json` for eyes, `jsonl` one line an item. */
  json(value: unknown): Promise<void> {
    return this.data(`${JSON.stringify(value, null, this.format === "json" ? 2 : 0)}\n`);
  }

  /** @param paint colours a whole row, which is aligned already. */
  table(
    head: readonly string[],
    rows: readonly (readonly string[])[],
    paint: (line: string, row: number) => string = (line) => line,
  ): Promise<void> {
    const widths = head.map((title, column) =>
      Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
    );
    const line = (cells: readonly string[]) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd();
    return this.data(
      [this.colors.bold(line(head)), ...rows.map((row, at) => paint(line(row), at)), ""].join("\n"),
    );
  }

  /** What happened, for a human; `-q` silences it. */
  async note(text: string): Promise<void> {
    if (!this.#quiet) await tell(this.#shell.stderr, `kv: ${text}\n`);
  }

  /** What should not be overlooked; `-q` does not silence it. */
  warn(text: string): Promise<void> {
    return tell(this.#shell.stderr, `kv: ${this.#errorColors.yellow(text)}\n`);
  }

  async error(error: unknown): Promise<void> {
    const { line, advice } = describe(error);
    const told = [`kv: ${this.#errorColors.red(line)}`, ...(this.#quiet ? [] : advice)];
    await tell(this.#shell.stderr, `${told.join("\n  ")}\n`);
  }
}

/** `<title>: <detail> [code]`, on one line. */
export function errorLine(error: unknown): string {
  return describe(error).line;
}

function describe(error: unknown): { line: string; advice: readonly string[] } {
  if (error instanceof CliError) {
    return { line: error.message, advice: error.advice === undefined ? [] : [error.advice] };
  }
  if (error instanceof Interrupted) return { line: `interrupted (${error.message})`, advice: [] };
  if (!(error instanceof KvError)) {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const message = error instanceof Error ? error.message : String(error);
    return { line: `internal error, a bug of kv: ${message}`, advice: stack.split("\n") };
  }
  const { title, doc } = ERRORS[error.code];
  const { writeId } = error.data;
  const again =
    error.outcome === "unknown" && writeId !== undefined
      ? [`Whether it was applied is unknown. To repeat this very write: --write-id ${writeId}`]
      : [];
  return { line: `${title}: ${error.message} [${error.code}]`, advice: [...again, doc] };
}
