import type { SingleBar } from "cli-progress";
import { canPaint } from "../colors.ts";
import type { Output } from "../output.ts";
import type { Shell } from "../shell.ts";

/** Erases the line on which the bar stands. */
const ERASE_LINE = "\r\u001b[K";

/** How far a file has been worked off: a bar on a terminal, nothing elsewhere. */
export class Progress {
  readonly #begunMs = performance.now();
  readonly #bar: SingleBar | undefined;
  readonly #shell: Shell;
  #rows = 0;
  #bytes = 0;

  private constructor(bar: SingleBar | undefined, shell: Shell) {
    this.#bar = bar;
    this.#shell = shell;
  }

  static async open(
    { bytes, verb, quiet }: { bytes: number | undefined; verb: string; quiet: boolean },
    shell: Shell,
  ): Promise<Progress> {
    const { stderr, env } = shell;
    if (bytes === undefined || quiet || stderr.isTTY !== true || !canPaint(env)) {
      return new Progress(undefined, shell);
    }
    const { default: progress } = await import("cli-progress");
    const bar = new progress.SingleBar({
      stream: shell.stderr,
      format: `${verb} [{bar}] {percentage}%  {rows} rows  {rate} rows/s`,
      clearOnComplete: true,
      hideCursor: true,
    });
    bar.start(bytes, 0, { rows: 0, rate: 0 });
    return new Progress(bar, shell);
  }

  line({ end }: { readonly end: number }): void {
    this.#rows += 1;
    this.#bytes = Math.max(this.#bytes, end);
    this.#bar?.update(this.#bytes, { rows: this.#rows, rate: this.rowsPerSecond() });
  }

  /** Prints a line without tearing the bar. */
  async warn(output: Output, text: string): Promise<void> {
    if (this.#bar !== undefined) this.#shell.stderr.write(ERASE_LINE);
    await output.warn(text);
  }

  rowsPerSecond(): number {
    const seconds = (performance.now() - this.#begunMs) / 1000;
    return Math.round(this.#rows / Math.max(seconds, 0.001));
  }

  close(): void {
    this.#bar?.stop();
  }
}
