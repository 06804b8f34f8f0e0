export interface Mutant {
  readonly breaks: string;
  readonly seeds: number;
  /** Of the buckets of its seeds; "lww" unless given. */
  readonly mode?: "lww" | "siblings";
  readonly checkers: readonly string[];
  readonly edits: readonly {
    readonly file: string;
    readonly find: string;
    readonly replace: string;
  }[];
}

export const MUTANTS: ReadonlyMap<string, Mutant>;

export function mutate(name: string, url: string, source: string): string | undefined;
