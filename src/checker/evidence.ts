import type { Finding, Operation, Violation } from "./history.ts";

/** A broken build fails thousands of reads, and the first few say as much as all. */
export const VIOLATIONS_MAX = 20;

/** What a checker found so far. */
export class Evidence {
  readonly #checker: string;
  readonly #violations: Violation[] = [];
  #examined = 0;
  #undecided = false;

  constructor(checker: string) {
    this.#checker = checker;
  }

  examine(cases = 1): void {
    this.#examined += cases;
  }

  undecided(): void {
    this.#undecided = true;
  }

  violation(
    key: string,
    operations: readonly (Operation | undefined)[],
    sentence: () => string,
  ): void {
    if (this.#violations.length >= VIOLATIONS_MAX) return;
    const concerned = new Set(operations.filter((operation) => operation !== undefined));
    this.#violations.push({ key, sentence: sentence(), operations: [...concerned] });
  }

  get violations(): number {
    return this.#violations.length;
  }

  finding(): Finding {
    const violated = this.#violations.length > 0;
    return {
      checker: this.#checker,
      verdict: violated ? "false" : this.#undecided ? "unknown" : "true",
      violations: this.#violations,
      examined: this.#examined,
    };
  }
}
