/**
 * Deliberately broken builds. Each is a few exact replacements in built files, made while a module
 * is loaded, so production code carries no flag for them. A text to find must occur exactly once, or
 * the mutant refuses to start: a mutant that silently changes nothing proves nothing.
 *
 * `checkers` are the ones of which at least one must notice, within `seeds` seeds of simulation: a
 * budget that was fixed before the mutant was first run.
 *
 * @typedef {{ file: string; find: string; replace: string }} Edit
 * @typedef {{ breaks: string; seeds: number; checkers: readonly string[]; edits: readonly Edit[] }} Mutant
 * @type {ReadonlyMap<string, Mutant>}
 */
export const MUTANTS = new Map([
  [
    "learn-round-skipped",
    {
      breaks: "writes are stamped by wall clocks alone, so skew reorders acknowledged ones (I5)",
      seeds: 50,
      checkers: ["write-order", "regular"],
      edits: [
        {
          file: "src/coordinator/write",
          find: "const { newest, witnesses } = await learn(plan, order, modules);",
          replace: "const { newest, witnesses } = { newest: 0, witnesses: [] };",
        },
      ],
    },
  ],
  [
    "r-and-w-one",
    {
      breaks: "one replica is enough for reads and writes, whatever was asked for (I3)",
      seeds: 20,
      checkers: ["regular", "monotonic-reads", "write-order"],
      edits: [
        {
          file: "src/coordinator/coordinator",
          find: 'const r = quorumSize("r", request.r ?? properties.r, properties.n);',
          replace: "const r = 1;",
        },
        {
          file: "src/coordinator/coordinator",
          find: 'const w = quorumSize("w", request.w ?? properties.w, properties.n);',
          replace: "const w = 1;",
        },
      ],
    },
  ],
  [
    "first-reply-wins",
    {
      breaks: "a read returns the first answer instead of the merge of all (I3)",
      seeds: 20,
      checkers: ["regular", "monotonic-reads"],
      edits: [
        {
          file: "src/core/quorum/read-quorum",
          find: "merged = this.#model.merge(this.#key, merged, record);",
          replace: "merged ??= record;",
        },
      ],
    },
  ],
  [
    "replica-keeps-the-older",
    {
      breaks: "merge prefers the older version (I1, I3)",
      seeds: 20,
      checkers: ["regular", "monotonic-reads", "durability", "write-order"],
      edits: [
        {
          file: "src/core/version/lww",
          find: "compareVersions(incoming, stored) > 0",
          replace: "compareVersions(incoming, stored) < 0",
        },
      ],
    },
  ],
  [
    "no-tie-break",
    {
      breaks: "versions of one stamp count as equal, so replicas may differ for ever (I1)",
      seeds: 200,
      checkers: ["convergence", "monotonic-reads"],
      edits: [
        {
          file: "src/core/version/lww",
          find: "if (equalBytes(a.bytes, b.bytes))",
          replace: "if (true)",
        },
      ],
    },
  ],
  [
    "fsync-off",
    {
      breaks: "writes are acknowledged before they are on disk (I2)",
      seeds: 50,
      checkers: ["durability", "regular", "monotonic-reads"],
      edits: [
        {
          file: "src/node/replica/commit-queue",
          find: 'const sync = puts.length > 0 || writers.some(({ durability }) => durability === "sync");',
          replace: "const sync = false;",
        },
      ],
    },
  ],
  [
    "disk-forgotten",
    {
      breaks: "a restarted node finds an empty disk (I2, I3)",
      seeds: 50,
      checkers: ["durability", "regular", "monotonic-reads", "write-order"],
      edits: [
        {
          file: "src/testing/memory-storage",
          find: "this.#image.recover();",
          replace: "this.#image = new DiskImage();",
        },
      ],
    },
  ],
  [
    "unknown-as-not-applied",
    {
      breaks: "a write in doubt is reported as not applied (I8)",
      seeds: 20,
      checkers: ["outcome-honesty"],
      edits: [
        {
          file: "src/core/quorum/write-quorum",
          find: '? "not-applied" : "unknown"',
          replace: '? "not-applied" : "not-applied"',
        },
      ],
    },
  ],
  [
    "no-write-back",
    {
      breaks: "a read returns the newest version without making sure that later reads see it (I4)",
      seeds: 100,
      checkers: ["monotonic-reads"],
      edits: [
        {
          file: "src/coordinator/read",
          find: "await writeBack(plan, action, modules);",
          replace: "void 0;",
        },
      ],
    },
  ],
  [
    "write-back-forgets-smaller-reads",
    {
      breaks: "a read with R=N writes back to fewer replicas than a later read with R=1 needs (I4)",
      seeds: 200,
      checkers: ["monotonic-reads"],
      edits: [
        {
          file: "src/core/quorum/read-quorum",
          find: "return Math.max(w, n - r + 1, r);",
          replace: "return Math.max(w, n - r + 1);",
        },
      ],
    },
  ],
  [
    "write-back-waits-for-nobody",
    {
      breaks:
        "the newest version is written back, but the read answers before anybody holds it (I4)",
      seeds: 2_000,
      checkers: ["monotonic-reads"],
      edits: [
        {
          file: "src/coordinator/read",
          find: "await writeBack(plan, action, modules);",
          replace: "writeBack(plan, action, modules).catch(() => {});",
        },
      ],
    },
  ],
]);

/** @returns the mutant's source of the module at `url`, or undefined if it leaves that module alone. */
export function mutate(name, url, source) {
  const mutant = MUTANTS.get(name);
  if (mutant === undefined) throw new Error(`there is no mutant '${name}'`);
  const edits = mutant.edits.filter(({ file }) => url.endsWith(`/dist/${file}.js`));
  if (edits.length === 0) return undefined;
  let mutated = source;
  for (const { find, replace } of edits) {
    const occurrences = mutated.split(find).length - 1;
    if (occurrences !== 1) {
      throw new Error(`mutant '${name}': its text occurs ${occurrences} times in ${url}`);
    }
    mutated = mutated.replace(find, replace);
  }
  return mutated;
}
