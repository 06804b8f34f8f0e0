/**
 * Deliberately broken builds. Each is a few exact replacements in built files, made while a module
 * is loaded, so production code carries no flag for them. A text to find must occur exactly once, or
 * the mutant refuses to start: a mutant that silently changes nothing proves nothing.
 *
 * `checkers` are the ones of which at least one must notice, within `seeds` seeds of simulation: a
 * budget that was fixed before the mutant was first run. With 0 seeds it is for the directed schedules
 * that name it (`test/sim/directed`): random search is too unlikely to notice. The seeds run on buckets
 * of `mode`, or on such that keep one version. The checker "process"
 * stands for an end of the process that nobody asked for.
 *
 * @typedef {"lww" | "siblings"} Mode
 * @typedef {{ file: string; find: string; replace: string }} Edit
 * @typedef {{ breaks: string; seeds: number; mode?: Mode; checkers: readonly string[]; edits: readonly Edit[] }} Mutant
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
          find: "this.#created = true;",
          replace: "this.#created = true; this.#image = new DiskImage();",
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
  [
    "write-back-waits-for-one",
    {
      breaks: "a read answers when one replica holds the newest version (I4)",
      seeds: 0,
      checkers: ["monotonic-reads", "directed"],
      edits: [
        {
          file: "src/coordinator/write-back",
          find: "const needed = writeBackQuorumSize({ n: preferenceList.length, r, w });",
          replace: "const needed = 1;",
        },
      ],
    },
  ],
  [
    "replica-takes-what-comes",
    {
      breaks: "a replica stores what arrives last instead of what is newest (I1, I3)",
      seeds: 20,
      checkers: ["regular", "monotonic-reads", "durability", "write-order"],
      edits: [
        {
          file: "src/core/version/lww",
          find: "compareVersions(incoming, stored) > 0 ? [incoming, stored] : [stored, incoming]",
          replace: "[incoming, stored]",
        },
      ],
    },
  ],
  [
    "learn-quorum-of-one",
    {
      breaks: "a write learns from one replica, which may have missed the newest one (I5)",
      seeds: 100,
      checkers: ["write-order", "regular"],
      edits: [
        {
          file: "src/core/quorum/learn-quorum",
          find: "return n + 1 - Math.min(r, w);",
          replace: "return 1;",
        },
      ],
    },
  ],
  [
    "deadline-ignored",
    {
      breaks: "a write whose deadline has passed is done late, when nobody waits for it any more",
      seeds: 0,
      checkers: ["directed"],
      edits: [
        {
          file: "src/node/replica/commit-queue",
          find: "if (now > waiting.deadline) {",
          replace: "if (false) {",
        },
        {
          file: "src/node/peers/remote-replica",
          find: "if (remainingMs <= 0)",
          replace: "if (false)",
        },
        {
          file: "src/coordinator/round",
          find: "const isLate = this.#modules.clock.now() > deadline.at;",
          replace: "const isLate = false;",
        },
      ],
    },
  ],
  [
    "hedge-counts-one-node-twice",
    {
      breaks:
        "a spare's answer is that of the silent replica, asked again, which so counts twice (I3)",
      seeds: 0,
      checkers: ["regular", "monotonic-reads"],
      edits: [
        {
          file: "src/coordinator/round",
          find: "this.#plan.ask(this.#modules.replicas.of(node),",
          replace:
            "const asked = this.#hedges.has(node) ? [...this.#waiting.keys()][0] ?? node : node; this.#plan.ask(this.#modules.replicas.of(asked),",
        },
      ],
    },
  ],
  [
    "suspicion-changes-quorum",
    {
      breaks: "a read needs no answer of replicas that are out of reach or suspect (I3)",
      seeds: 50,
      checkers: ["regular", "monotonic-reads"],
      edits: [
        {
          file: "src/coordinator/read",
          find: "const order = askingOrder(modules.replicas, plan.preferenceList);",
          replace:
            "const all = askingOrder(modules.replicas, plan.preferenceList); const near = all.filter((node) => node === modules.replicas.self || modules.replicas.isReachable(node)); const order = near.length === 0 ? all : near; plan = { ...plan, r: Math.min(plan.r, order.length) };",
        },
      ],
    },
  ],
  [
    "storage-error-as-refusal",
    {
      breaks: "a write whose fsync failed counts as refused, although a restart may find it (I8)",
      seeds: 0,
      checkers: ["outcome-honesty"],
      edits: [
        {
          file: "src/node/replica/commit-queue",
          find: 'const DOUBT = { kind: "unknown", reason: "storage-error" };',
          replace: 'const DOUBT = { kind: "refused", reason: "stopping" };',
        },
      ],
    },
  ],
  [
    "actor-not-renewed",
    {
      breaks: "a node that may have forgotten what it minted goes on under its old name",
      seeds: 0,
      checkers: ["directed"],
      edits: [
        {
          file: "src/node/replica/directory",
          find: "(before.clean ? 0 : 1)",
          replace: "0",
        },
      ],
    },
  ],
  [
    "actor-not-renewed-after-full-disk",
    {
      breaks: "a node whose batch failed on a full disk goes on under its old name",
      seeds: 0,
      checkers: ["directed"],
      edits: [{ file: "src/node/node", find: "await directory.renew();", replace: "" }],
    },
  ],
  [
    "lease-forgotten",
    {
      breaks: "a restarted node mints by its wall clock alone, perhaps what it minted before",
      seeds: 0,
      checkers: ["directed"],
      edits: [
        {
          file: "src/node/replica/directory",
          find: "const lease = leaseBytes === undefined ? NO_STAMP : parseLease(leaseBytes);",
          replace: "const lease = NO_STAMP;",
        },
      ],
    },
  ],
  [
    "write-id-ignored",
    {
      breaks: "a retry is minted anew although the write was acknowledged",
      seeds: 20,
      checkers: ["one-effect"],
      edits: [
        {
          file: "src/coordinator/write",
          find: "if (witnesses.length > 0)",
          replace: "if (false)",
        },
      ],
    },
  ],
  [
    "superseded-writes-forgotten",
    {
      breaks: "a record remembers the write that it holds and none before it",
      seeds: 100,
      checkers: ["one-effect"],
      edits: [
        {
          file: "src/core/version/lww",
          find: "const recent = mergeRecent(known, loser.recent);",
          replace: "const recent = known;",
        },
      ],
    },
  ],
  [
    "known-write-not-replicated",
    {
      breaks: "a retry is acknowledged as soon as one replica knows the write (I3)",
      seeds: 200,
      checkers: ["regular", "durability", "write-order"],
      edits: [
        {
          file: "src/coordinator/known-write",
          find: 'const acked = await replicate(plan, order, { record, stamp, purpose: "repair" }, modules);',
          replace: "const acked = plan.w;",
        },
      ],
    },
  ],
  [
    "other-content-acknowledged",
    {
      breaks:
        "a write id that was used for other content is acknowledged as if it were the same write",
      seeds: 0,
      checkers: ["directed"],
      edits: [
        {
          file: "src/coordinator/known-write",
          find: "const same = witnesses.filter(({ write }) => write.contentHash === contentHash);",
          replace: "const same = witnesses;",
        },
      ],
    },
  ],
  [
    "digests-always-agree",
    {
      breaks: "a digest says only that there is a record, so a read returns the first one (I3)",
      seeds: 20,
      checkers: ["regular", "monotonic-reads"],
      edits: [
        {
          file: "src/core/version/record",
          find: "const identity = bytes.subarray(FLAGS_OFFSET, IDENTITY_END);",
          replace: "return NO_RECORD; const identity = bytes;",
        },
      ],
    },
  ],
  [
    "digest-takes-tombstones-for-absence",
    {
      breaks: "the digest of a tombstone is that of no record, so reads of the two agree (I4)",
      seeds: 1000,
      checkers: ["monotonic-reads", "regular"],
      edits: [
        {
          file: "src/core/version/record",
          find: "const identity = bytes.subarray(FLAGS_OFFSET, IDENTITY_END);",
          replace:
            "if (record.version.content === undefined) return NO_RECORD; const identity = bytes.subarray(FLAGS_OFFSET, IDENTITY_END);",
        },
      ],
    },
  ],
  [
    "background-repair",
    {
      breaks: "repairs run in the background where blocking ones are promised (I4)",
      seeds: 0,
      checkers: ["monotonic-reads", "directed"],
      edits: [
        {
          file: "src/coordinator/read",
          find: 'if (plan.readRepair === "background")',
          replace: "if (true)",
        },
      ],
    },
  ],
  [
    "expiry-by-local-clock",
    {
      breaks: "a coordinator judges expiry by its own clock alone, and so revives versions",
      seeds: 0,
      checkers: ["directed"],
      edits: [
        {
          file: "src/coordinator/coordinator",
          find: "reading > clock ? reading : clock",
          replace: "reading",
        },
      ],
    },
  ],
  [
    "merges-judged-by-clock",
    {
      breaks: "a replica whose clock is behind refuses repairs, so replicas differ for ever (I1)",
      seeds: 100,
      checkers: ["convergence"],
      edits: [
        {
          file: "src/node/replica/replica",
          find: "this.#modules.commits.write(write, deadline, onAnswer);",
          replace:
            'if (write.purpose === "repair" && write.record.version.stamp > this.#modules.clockReading() + 500 * 2048) return onAnswer({ kind: "refused", reason: "stopping" }); this.#modules.commits.write(write, deadline, onAnswer);',
        },
      ],
    },
  ],
  [
    "clock-guard-off",
    {
      breaks: "a node coordinates although it knows that its clock is wrong",
      seeds: 0,
      checkers: ["directed"],
      edits: [
        {
          file: "src/node/membership/clock-guard",
          find: 'throw new KvError("clock-unsafe", this.#problem, { outcome, retryAfterMs: RETRY_AFTER_MS });',
          replace: "",
        },
      ],
    },
  ],
  [
    "clock-guard-too-strict",
    {
      breaks: "a node refuses to coordinate although no clock is off by more than is allowed",
      seeds: 100,
      checkers: ["liveness"],
      edits: [
        {
          file: "src/core/membership/clock-verdict",
          find: "Math.abs(offsetMs) - errorMs > clockOffsetMaxMs",
          replace: "Math.abs(offsetMs) - errorMs > clockOffsetMaxMs / 2",
        },
      ],
    },
  ],
  [
    "checksum-off",
    {
      breaks: "a stored record is believed whatever its checksum says",
      seeds: 50,
      checkers: ["unwritten", "process"],
      edits: [
        {
          file: "src/core/version/record",
          find: "if (crc32(bytes.subarray(0, bodyEnd), crc32(key)) !== stated) {",
          replace: "if (false) {",
        },
      ],
    },
  ],
  [
    "full-disk-not-reopened",
    {
      breaks: "after a full disk writes are acknowledged behind the torn end of the log (I2)",
      seeds: 0,
      checkers: ["durability", "regular", "monotonic-reads", "write-order"],
      edits: [{ file: "src/node/node", find: "await storage.reopen();", replace: "" }],
    },
  ],
  [
    "resynchronising-node-answers",
    {
      breaks: "a wiped node answers reads and learns before it was copied from others (I2, I3)",
      seeds: 0,
      checkers: ["directed"],
      edits: [
        {
          file: "src/node/resync/resync",
          find: "return this.#wholeness.isWhole(partition);",
          replace: "return true;",
        },
      ],
    },
  ],
  [
    "rolled-back-directory-believed",
    {
      breaks: "what peers remember of a node's directory counts for nothing (I2, I3)",
      seeds: 0,
      checkers: ["directed"],
      edits: [
        {
          file: "src/node/resync/wholeness",
          find: "if (contradicts(remembered, own, this.#entry.settled))",
          replace: "if (false)",
        },
      ],
    },
  ],
  [
    "peer-memory-forgotten",
    {
      breaks: "a restarted node has forgotten what its peers had announced to it (I2, I3)",
      seeds: 0,
      checkers: ["directed"],
      edits: [
        {
          file: "src/node/resync/peer-memory",
          find: "if (isDirectoryState(state))",
          replace: "if (false)",
        },
      ],
    },
  ],
  [
    "peers-counted-before-their-word",
    {
      breaks:
        "a node counts itself beside peers that did not say yet what they remember of it (I3)",
      seeds: 0,
      checkers: ["regular"],
      edits: [
        {
          file: "src/node/membership/membership",
          find: "member?.greeted === true && member.hasSpoken &&",
          replace: "member?.greeted === true &&",
        },
      ],
    },
  ],
  [
    "salvage-without-resync",
    {
      breaks: "a salvaged directory is taken for the one that was damaged, as if it lacked nothing",
      seeds: 0,
      checkers: ["directed"],
      edits: [
        {
          file: "src/node/resync/rescue",
          find: "const count = { kept: 0, damaged: 0, gaps: 0 };",
          replace:
            'const count = { kept: 0, damaged: 0, gaps: 0 }; const own = ["identity", "position", "resync"].map(metaKey); const values = await from.getMany(own); await to.batch(own.map((key, i) => ({ key, value: values[i] })), { sync: true });',
        },
      ],
    },
  ],
  [
    "repair-before-writes-ended",
    {
      breaks:
        "a damaged record is repaired from others before writes that it had acknowledged reached them (I3)",
      seeds: 0,
      checkers: ["regular"],
      edits: [
        {
          file: "src/node/repair/record-repair",
          find: "this.#runLater({ key, retryMs: RETRY_MS }, requestTimeoutMaxMs)",
          replace: "this.#runLater({ key, retryMs: RETRY_MS }, 0)",
        },
      ],
    },
  ],
  [
    "repair-from-one",
    {
      breaks: "a damaged record is replaced by what one other replica holds, be it older (I2, I3)",
      seeds: 0,
      checkers: ["durability", "regular", "monotonic-reads", "write-order"],
      edits: [
        {
          file: "src/node/repair/proof",
          find: "const needed = n - w + 1;",
          replace: "const needed = 1;",
        },
      ],
    },
  ],
  [
    "damaged-as-absent",
    {
      breaks: "a replica whose record is damaged says that it holds nothing (I3)",
      seeds: 200,
      checkers: ["regular", "monotonic-reads"],
      edits: [
        {
          file: "src/node/replica/read-queue",
          find: 'return { kind: "refused", reason: "damaged-record" };',
          replace: 'return { kind: "ok", value: undefined };',
        },
      ],
    },
  ],
  [
    "quarantine-counts",
    {
      breaks: "what was written to a damaged record since is read as if nothing had been lost (I3)",
      seeds: 0,
      checkers: ["regular", "monotonic-reads"],
      edits: [
        {
          file: "src/node/replica/stored-records",
          find: 'return { kind: "quarantined", record: stored.record };',
          replace: 'return { kind: "whole", record: stored.record };',
        },
      ],
    },
  ],
  [
    "context-ignored",
    {
      breaks: "a write supersedes what is there, whatever its writer has seen (I6)",
      seeds: 20,
      mode: "siblings",
      checkers: ["lost-siblings", "false-siblings"],
      edits: [
        {
          file: "src/coordinator/minter",
          find: 'const context = plan.context ?? (plan.blindWrites === "overwrite" ? seen : NOTHING_SEEN);',
          replace: "const context = seen;",
        },
      ],
    },
  ],
  [
    "blind-write-sees-own-disk-alone",
    {
      breaks:
        "a blind write that overwrites supersedes what its minter holds, not what it has learned",
      seeds: 0,
      checkers: ["directed"],
      edits: [
        {
          file: "src/coordinator/minter",
          find: 'const context = plan.context ?? (plan.blindWrites === "overwrite" ? seen : NOTHING_SEEN);',
          replace:
            'const context = plan.context ?? (plan.blindWrites === "overwrite" ? (before?.context ?? NOTHING_SEEN) : NOTHING_SEEN);',
        },
      ],
    },
  ],
  [
    "one-id-one-version",
    {
      breaks: "two versions of one write id are shown as one, whatever they say (I6)",
      seeds: 300,
      mode: "siblings",
      checkers: ["lost-siblings"],
      edits: [
        {
          file: "src/core/version/view",
          find: "a.writeId === b.writeId && contentHashOf(a) === contentHashOf(b)",
          replace: "a.writeId === b.writeId",
        },
      ],
    },
  ],
  [
    "context-of-any-key",
    {
      breaks: "a context of one key is taken for one of another (I6)",
      seeds: 200,
      mode: "siblings",
      checkers: ["lost-siblings"],
      edits: [
        {
          file: "src/core/causal/context-tokens",
          find: "[PURPOSE, Uint8Array.of(key.byteLength >> 8, key.byteLength), key, context]",
          replace: "[PURPOSE, context]",
        },
      ],
    },
  ],
  [
    "contexts-cover-all-or-nothing",
    {
      breaks:
        "a context supersedes an actor's versions only if it has seen all of them, as without dots",
      seeds: 20,
      mode: "siblings",
      checkers: ["false-siblings"],
      edits: [
        {
          file: "src/core/version/siblings",
          find: "const seen = [...context].map(",
          replace:
            "const all = ([actor, stamp]) => (before?.entries ?? []).every((it) => it.actor !== actor || newestOf(it) <= stamp); const seen = [...context].filter(all).map(",
        },
      ],
    },
  ],
  [
    "one-actor-wins",
    {
      breaks: "of concurrent versions of several actors the newest is kept (I6)",
      seeds: 20,
      mode: "siblings",
      checkers: ["lost-siblings"],
      edits: [
        {
          file: "src/core/version/siblings",
          find: "return [...merged.values()];",
          replace:
            "const all = [...merged.values()]; const newest = Math.max(...all.map((it) => it.siblings.at(-1)?.stamp ?? 0)); return all.map((it) => ({ ...it, siblings: it.siblings.filter(({ stamp }) => stamp === newest) }));",
        },
      ],
    },
  ],
  [
    "tombstones-dropped",
    {
      breaks: "a delete beside a value is no sibling (I6)",
      seeds: 50,
      mode: "siblings",
      checkers: ["lost-siblings", "convergence"],
      edits: [
        {
          file: "src/core/version/siblings",
          find: "return [...merged.values()];",
          replace:
            "const all = [...merged.values()]; if (all.flatMap((it) => it.siblings).every((it) => it.version.content === undefined)) return all; return all.map((it) => ({ ...it, siblings: it.siblings.filter(({ version }) => version.content !== undefined) }));",
        },
      ],
    },
  ],
  [
    "siblings-max-ignored",
    {
      breaks: "siblings grow without bound",
      seeds: 50,
      mode: "siblings",
      checkers: ["sibling-bound"],
      edits: [
        {
          file: "src/core/version/successor",
          find: "if (beside.length < siblingsMax)",
          replace: "if (true)",
        },
      ],
    },
  ],
  [
    "silent-minter-as-refusal",
    {
      breaks: "a write whose minter is silent counts as not applied (I8)",
      seeds: 20,
      mode: "siblings",
      checkers: ["outcome-honesty"],
      edits: [
        {
          file: "src/core/quorum/mint-quorum",
          find: 'this.#isSent && this.#answer?.kind !== "refused"',
          replace: "false",
        },
      ],
    },
  ],
  [
    "context-of-a-write-tells-too-much",
    {
      breaks:
        "the context of a write covers earlier versions of its minter that its writer never saw (I6)",
      seeds: 100,
      mode: "siblings",
      checkers: ["lost-siblings"],
      edits: [
        {
          file: "src/core/version/successor",
          find: "own?.siblings.length === 1 && own.discarded === (context.get(actor) ?? NO_STAMP)",
          replace: "own !== undefined",
        },
      ],
    },
  ],
  [
    "new-version-alone",
    {
      breaks: "a new version is sent out without the record that it belongs to (I6)",
      seeds: 0,
      checkers: ["lost-siblings"],
      edits: [
        {
          file: "src/coordinator/minter",
          find: "const record = successor(plan.key, before, {",
          replace: "const record = successor(plan.key, undefined, {",
        },
      ],
    },
  ],
  [
    "fold-discards",
    {
      breaks:
        "of two dots of one write the older one is superseded, and all before it of its actor (I6)",
      seeds: 0,
      checkers: ["lost-siblings"],
      edits: [
        {
          file: "src/core/version/siblings",
          find: "return [...merged.values()];",
          replace:
            "const all = [...merged.values()]; const newest = new Map(); for (const { version: v } of all.flatMap((it) => it.siblings)) newest.set(v.writeId, Math.max(newest.get(v.writeId) ?? 0, v.stamp)); return all.map((it) => { const older = it.siblings.filter((s) => newest.get(s.version.writeId) > s.stamp); const discarded = Math.max(it.discarded, ...older.map((s) => s.stamp)); return { ...it, discarded, siblings: it.siblings.filter((s) => s.stamp > discarded) }; });",
        },
      ],
    },
  ],
  [
    "dots-counted-by-the-record",
    {
      breaks: "a node numbers versions by the record that it holds, under one name for ever (I6)",
      seeds: 0,
      checkers: ["lost-siblings", "one-dot"],
      edits: [
        {
          file: "src/coordinator/minter",
          find: "const stamp = stampAfter({ own: minted, newest: newestKnown(newest, before, context) });",
          replace:
            "const actor = modules.stamps.actor; const held = before?.context.get(actor) ?? 0; const stamp = Math.max(held, context.get(actor) ?? 0) + 1;",
        },
        {
          file: "src/node/replica/directory",
          find: "(before.clean ? 0 : 1)",
          replace: "0",
        },
      ],
    },
  ],
  [
    "refused-by-own-disk-is-nothing",
    {
      breaks: "a node goes on under its old name although its disk lacks what it sent out (I6)",
      seeds: 0,
      checkers: ["lost-siblings"],
      edits: [
        {
          file: "src/coordinator/minter",
          find: "this.#trust.lose();",
          replace: ";",
        },
      ],
    },
  ],
  [
    "minter-ignores-write-id",
    {
      breaks: "a retry among siblings is minted anew although the write was acknowledged",
      seeds: 0,
      checkers: ["directed"],
      edits: [
        {
          file: "src/coordinator/minter",
          find: "if (witnesses.length > 0)",
          replace: "if (false)",
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
