import fc from "fast-check";
import type { History, Operation, ReplicaState } from "../../../../src/checker/history.ts";

export interface Sizes {
  readonly operationsMax: number;
  readonly keys: number;
}

/** What an operation of the script does, before anything is known of the others. */
interface Step {
  readonly key: number;
  readonly kind: Operation["kind"];
  readonly call: number;
  /** From the call until it takes effect, and from there until the answer. */
  readonly before: number;
  readonly after: number;
  readonly fate: "answered" | "late" | "lost" | "refused";
}

const step = ({ keys }: Sizes): fc.Arbitrary<Step> =>
  fc.record({
    key: fc.nat(keys - 1),
    kind: fc.constantFrom("put", "put", "delete", "get", "get", "get"),
    call: fc.nat(24),
    before: fc.nat(6),
    after: fc.nat(6),
    fate: fc.oneof(
      { weight: 5, arbitrary: fc.constant("answered") },
      { weight: 3, arbitrary: fc.constantFrom("late", "lost", "refused") },
    ),
  });

/**
 * What clients see of a correct register: each operation takes effect at one instant between call and
 * end; some writes at any time after their call, with no answer, or never. Instants are few, so that
 * many of them are equal.
 */
export function atomicHistory(sizes: Sizes): fc.Arbitrary<History> {
  return fc
    .array(step(sizes), {
      minLength: Math.ceil(sizes.operationsMax / 2),
      maxLength: sizes.operationsMax,
      size: "max",
    })
    .map(execute);
}

function execute(script: readonly Step[]): History {
  const held = new Map<string, { version: string; stamp: number }>();
  const operations: Operation[] = [];
  const late = (it: Step): number => (it.fate === "late" && it.kind !== "get" ? 7 * it.after : 0);
  const effectAt = (it: Step): number => it.call + it.before + late(it);
  const inOrder = script.toSorted((a, b) => effectAt(a) - effectAt(b));
  for (const [stamp, it] of inOrder.entries()) {
    const key = `k${it.key}`;
    const sizes = { n: 3, r: 2, w: 2 } as const;
    const expiry = { expiresAt: undefined, expired: false } as const;
    const common = { client: stamp, key, call: it.call, ...sizes, ...expiry } as const;
    const durability = "sync" as const;
    if (it.kind === "get") {
      const found = held.get(key);
      const answered = it.fate !== "lost";
      operations.push({
        ...common,
        kind: "get",
        durability,
        end: answered ? effectAt(it) + it.after : undefined,
        outcome: answered ? "ok" : "unknown",
        version: answered ? found?.version : undefined,
        stamp: answered ? found?.stamp : undefined,
      });
      continue;
    }
    const version = `v${stamp}`;
    const applied = it.fate === "answered" || it.fate === "late";
    if (applied) held.set(key, { version, stamp });
    // An answer that says "unknown" comes at once, or none does; the write takes effect when it likes.
    const heard = it.fate !== "late" || it.after % 2 === 0;
    const told = it.fate === "late" ? it.call + it.before : effectAt(it) + it.after;
    operations.push({
      ...common,
      kind: it.kind,
      durability,
      end: heard && it.fate !== "lost" ? told : undefined,
      outcome: it.fate === "answered" ? "ok" : it.fate === "refused" ? "not-applied" : "unknown",
      version,
      stamp: it.fate === "answered" ? stamp : undefined,
    });
  }
  const records = new Map(
    Array.from(held, ([key, { version, stamp }]) => [
      key,
      { version, stamp, tombstone: false, digest: `${version}@${stamp}` },
    ]),
  );
  const replicas: ReplicaState[] = ["n1", "n2", "n3"].map((node) => ({ node, records }));
  return { operations: operations.toSorted((a, b) => a.call - b.call), replicas };
}

/** Gets return what they like, or something that nobody wrote. Stamps are told or not, all of them. */
export function anyHistory(sizes: Sizes): fc.Arbitrary<History> {
  return atomicHistory(sizes).chain((correct) =>
    fc
      .array(fc.nat(sizes.operationsMax), {
        minLength: correct.operations.length,
        maxLength: correct.operations.length,
      })
      .map((choices) => ({
        replicas: [],
        operations: correct.operations.map((it, i) => reread(it, correct, choices[i] ?? 0)),
      })),
  );
}

/** The same history, if it has a get that was answered, with one of them returning something else. */
export function withOneReadChanged(sizes: Sizes): fc.Arbitrary<History> {
  return fc.tuple(atomicHistory(sizes), fc.nat(), fc.nat()).map(([correct, which, what]) => {
    const gets = correct.operations.filter((it) => it.kind === "get" && it.outcome === "ok");
    const changed = gets[which % Math.max(1, gets.length)];
    return {
      ...correct,
      operations: correct.operations.map((it) => (it === changed ? reread(it, correct, what) : it)),
    };
  });
}

function reread(operation: Operation, { operations }: History, choice: number): Operation {
  if (operation.kind !== "get" || operation.outcome !== "ok") return operation;
  const writes = operations.filter((it) => it.kind !== "get" && it.key === operation.key);
  const versions = [undefined, "unwritten", ...writes.map((it) => it.version)];
  return { ...operation, version: versions[choice % versions.length], stamp: undefined };
}

/** Of a history as clients see it that are told no stamps. */
export function withoutStamps(history: History): History {
  return {
    ...history,
    operations: history.operations.map((it) => ({ ...it, stamp: undefined })),
  };
}

/** As if told by a store that stamps as it likes: each version keeps one stamp, any. */
export function shuffledStamps(sizes: Sizes): fc.Arbitrary<History> {
  const stamps = Array.from({ length: sizes.operationsMax }, (_, i) => i);
  return fc
    .tuple(
      fc.oneof(atomicHistory(sizes), withOneReadChanged(sizes)),
      fc.shuffledSubarray(stamps, { minLength: stamps.length, maxLength: stamps.length }),
    )
    .map(([{ operations, replicas }, shuffled]) => {
      const stampOf = (version: string | undefined): number | undefined =>
        version === undefined ? undefined : shuffled[Number(version.slice(1))];
      return {
        operations: operations.map((it) =>
          it.outcome === "ok" ? { ...it, stamp: stampOf(it.version) } : it,
        ),
        replicas: replicas.map(({ node, records }) => ({
          node,
          records: new Map(
            Array.from(records, ([key, it]) => [key, { ...it, stamp: stampOf(it.version) ?? 0 }]),
          ),
        })),
      };
    });
}
