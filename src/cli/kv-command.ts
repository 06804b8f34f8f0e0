import { Command } from "commander";

/** A command that shows how it is used: in its help, in docs/kv.md, and to the test that tries it. */
export class KvCommand extends Command {
  #examples: readonly string[] = [];

  /** Lines as they can be typed into a shell. */
  get shown(): readonly string[] {
    return this.#examples;
  }

  examples(...lines: readonly string[]): this {
    this.#examples = lines;
    const title = lines.length === 1 ? "Example:" : "Examples:";
    const indented = lines.map((line) => `  ${line.replaceAll("\n", "\n  ")}`);
    return this.addHelpText("after", ["", title, ...indented].join("\n"));
  }

  override createCommand(name?: string): KvCommand {
    return new KvCommand(name);
  }
}
