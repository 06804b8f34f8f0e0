import type { Output } from "./output.ts";

/** Something that is wrong, for people. */
export interface Problem {
  readonly what: string;
  /** What to do about it. */
  readonly advice: string;
}

export async function printProblems(output: Output, problems: readonly Problem[]): Promise<void> {
  const { red } = output.colors;
  for (const { what, advice } of problems) {
    await output.data(`\n${red("!")} ${what}\n  ${advice}\n`);
  }
}
