import type { Finding } from "../../../src/checker/history.ts";

/**
 * A script in virtual time for what random search is too unlikely to find: exactly these messages
 * late, exactly then a crash. It plays on the sound build, where no checker may object, and on each
 * of the broken builds that it must catch.
 */
export interface Schedule {
  readonly name: string;
  /** Mutants of `test/support/mutants/table.mjs`. */
  readonly catches: readonly string[];
  readonly play: () => Promise<readonly Finding[]>;
}
