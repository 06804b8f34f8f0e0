import { assert } from "../assert.ts";
import { compareBytes, equalBytes } from "../bytes.ts";
import type { CausalContext } from "../causal/causal-context.ts";
import { NO_STAMP } from "../hlc.ts";
import type { Stamp } from "../hlc.ts";
import type { ActorId } from "../ids.ts";
import type { RecordKey } from "../record-key.ts";
import type { MergeModel } from "./merge-model.ts";
import { mergeRecent } from "./recent.ts";
import type { Recent } from "./recent.ts";
import { Sibling } from "./sibling.ts";
import { encodeSiblings, newestOf } from "./siblings-record.ts";
import type { ActorEntry, SiblingsRecord } from "./siblings-record.ts";
import type { Version } from "./version.ts";

/**
 * Concurrent versions stand beside each other until a write that has seen them supersedes them. For
 * each actor: the greater discarded stamp, and the union of both sides' versions less those up to it.
 * To take of the other side only what is newer than the own newest would be neither commutative nor
 * safe: it loses acknowledged versions.
 */
export const siblings: MergeModel = {
  merge(key, stored, incoming) {
    if (stored === undefined) return incoming;
    assert(stored.mode === "siblings" && incoming.mode === "siblings", "a key has one mode");
    if (equalBytes(stored.bytes, incoming.bytes)) return stored;
    const merged = encodeSiblings(
      key,
      mergeEntries(stored.entries, incoming.entries),
      mergeRecent(stored.recent, incoming.recent),
    );
    if (equalBytes(merged.bytes, stored.bytes)) return stored;
    return equalBytes(merged.bytes, incoming.bytes) ? incoming : merged;
  },
  equal(a, b) {
    return a === b || (a !== undefined && b !== undefined && equalBytes(a.bytes, b.bytes));
  },
  newest(record) {
    return record.stamp;
  },
};

/**
 * The record with one version more, in place of exactly those that its writer has seen. The version
 * is minted above everything that the record and the context know of its actor: a dot is never reused.
 */
export function supersede(
  key: RecordKey,
  before: SiblingsRecord | undefined,
  { version, context, recent }: { version: Version; context: CausalContext; recent: Recent },
): SiblingsRecord {
  const known = afterContext(before, context);
  const own = known.find(({ actor }) => actor === version.actor);
  assert(
    own === undefined || version.stamp > newestOf(own),
    "a dot is minted once, above all of its actor",
  );
  const entry: ActorEntry = {
    actor: version.actor,
    discarded: own?.discarded ?? NO_STAMP,
    siblings: [...(own?.siblings ?? []), Sibling.of(version)],
  };
  const entries = [...known.filter((other) => other !== own), entry];
  return encodeSiblings(key, entries, mergeRecent(before?.recent ?? recent, recent));
}

/** The siblings that would be left beside a write with this context. */
export function survivors(
  before: SiblingsRecord | undefined,
  context: CausalContext,
): readonly Sibling[] {
  return afterContext(before, context).flatMap((entry) => entry.siblings);
}

function afterContext(
  before: SiblingsRecord | undefined,
  context: CausalContext,
): readonly ActorEntry[] {
  const seen = [...context].map(([actor, discarded]) => ({ actor, discarded, siblings: [] }));
  return mergeEntries(before?.entries ?? [], seen);
}

function mergeEntries(
  ours: readonly ActorEntry[],
  theirs: readonly ActorEntry[],
): readonly ActorEntry[] {
  const merged = new Map<ActorId, ActorEntry>(ours.map((entry) => [entry.actor, entry]));
  for (const entry of theirs) {
    const own = merged.get(entry.actor);
    merged.set(entry.actor, own === undefined ? entry : mergeEntry(own, entry));
  }
  return [...merged.values()];
}

function mergeEntry(a: ActorEntry, b: ActorEntry): ActorEntry {
  const discarded = a.discarded > b.discarded ? a.discarded : b.discarded;
  const byStamp = new Map<Stamp, Sibling>();
  for (const sibling of [...a.siblings, ...b.siblings]) {
    if (sibling.stamp <= discarded) continue;
    const other = byStamp.get(sibling.stamp);
    // One dot with two contents is a broken promise elsewhere; replicas converge even so.
    if (other === undefined || compareBytes(sibling.bytes, other.bytes) > 0) {
      byStamp.set(sibling.stamp, sibling);
    }
  }
  return {
    actor: a.actor,
    discarded,
    siblings: [...byStamp.values()].toSorted((x, y) => x.stamp - y.stamp),
  };
}
