/**
 * Deliberately broken builds. Each is one exact replacement in one source file, made while the
 * module is loaded, so production code carries no flag for it. The text to find must occur exactly
 * once, or the mutant refuses to start: a mutant that silently changes nothing proves nothing.
 *
 * @type {ReadonlyMap<string, { file: string; find: string; replace: string; breaks: string }>}
 */
export const MUTANTS = new Map([
  [
    "learn-round-skipped",
    {
      file: "coordinator/write",
      find: "const newest = await learn(plan, order, modules);",
      replace: "const newest = 0;",
      breaks: "acknowledged writes are ordered by wall clocks instead of as they happened (I5)",
    },
  ],
]);

/** @returns the mutant's source of the module at `url`, or undefined if it leaves that module alone. */
export function mutate(name, url, source) {
  const mutant = MUTANTS.get(name);
  if (mutant === undefined) throw new Error(`there is no mutant '${name}'`);
  if (!new RegExp(`/src/${mutant.file}\\.[jt]s$`).test(url)) return undefined;
  const occurrences = source.split(mutant.find).length - 1;
  if (occurrences !== 1) {
    throw new Error(`mutant '${name}': its text occurs ${occurrences} times in ${url}`);
  }
  return source.replace(mutant.find, mutant.replace);
}
