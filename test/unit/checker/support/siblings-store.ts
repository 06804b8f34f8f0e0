import fc from "fast-check";
import type { BlindWrites } from "../../../../src/core/bucket.ts";
import type { History, Operation, SeenSibling } from "../../../../src/checker/history.ts";
import { get, history, put } from "./operations.ts";

type Step =
  | { readonly kind: "get" }
  /** With the context of one of the answers so far, or blind. */
  | { readonly kind: "put"; readonly context: number | undefined };

/** A history of one atomic store, and for each version all that its writer had seen. */
export interface Told {
  readonly history: History;
  readonly seenBy: ReadonlyMap<string, ReadonlySet<string>>;
}

/** What `version` is, as gets of these histories show it. */
export function sibling(version: string): SeenSibling {
  const stamp = Number(version.slice(1));
  return { version, dot: `a-${version}`, stamp, expiresAt: undefined, expired: false };
}

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("get" as const) }),
  fc.record({
    kind: fc.constant("put" as const),
    context: fc.option(fc.nat(50), { nil: undefined, freq: 3 }),
  }),
);

/**
 * One operation after the other, on a store that does it the dear way: it keeps with each version
 * the names of all that its writer had seen.
 */
export const siblingsHistory: fc.Arbitrary<Told> = fc
  .record({
    blindWrites: fc.constantFrom<BlindWrites>("overwrite", "sibling"),
    steps: fc.array(step, { minLength: 1, maxLength: 14 }),
  })
  .map(({ blindWrites, steps }) => play(blindWrites, steps));

/** A get behind each put, so that whatever was there was shown. */
function thenGet(step: Step): readonly Step[] {
  return step.kind === "put" ? [step, { kind: "get" }] : [step];
}

function play(blindWrites: BlindWrites, steps: readonly Step[]): Told {
  const seenBy = new Map<string, ReadonlySet<string>>();
  const contexts: ReadonlySet<string>[] = [];
  const operations: Operation[] = [];
  let held: readonly string[] = [];
  for (const [at, { kind, ...choice }] of steps.flatMap(thenGet).entries()) {
    const times = [at * 10, at * 10 + 5] as const;
    const facts = { blindWrites, siblingsMax: 32 };
    if (kind === "get") {
      const seen = closure(held, seenBy);
      contexts.push(seen);
      const siblings = held.map(sibling);
      const causality = { ...facts, sent: undefined, context: text(seen), siblings };
      operations.push(get(undefined, ...times, { causality }));
      continue;
    }
    const index = "context" in choice ? choice.context : undefined;
    const context =
      index === undefined ? undefined : contexts[index % Math.max(1, contexts.length)];
    const version = `v${at}`;
    const seen =
      context ?? (blindWrites === "overwrite" ? closure(held, seenBy) : new Set<string>());
    seenBy.set(version, seen);
    held = [...held.filter((it) => !seen.has(it)), version];
    const sent = context === undefined ? undefined : text(context);
    const causality = { ...facts, sent, context: undefined, siblings: [] };
    operations.push(put(version, ...times, { stamp: at, causality }));
  }
  const record = {
    version: "",
    stamp: 0,
    tombstone: false,
    digest: "",
    siblings: held.map(sibling),
  };
  const replicas = ["n1", "n2", "n3"].map((node) => ({ node, records: new Map([["k", record]]) }));
  return { history: history(operations, held.length === 0 ? [] : replicas), seenBy };
}

function closure(
  versions: readonly string[],
  seenBy: ReadonlyMap<string, ReadonlySet<string>>,
): ReadonlySet<string> {
  return new Set(versions.flatMap((version) => [version, ...(seenBy.get(version) ?? [])]));
}

function text(seen: ReadonlySet<string>): string {
  return [...seen].toSorted().join();
}
