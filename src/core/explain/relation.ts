import { dotText } from "../version/dot.ts";
import type { KvRecord } from "../version/record.ts";
import { dotsOf } from "./record-facts.ts";

/**
 * How the versions of one replica stand to those of all that answered:
 *
 * - `equal`: they are exactly those of the merge of all.
 * - `behind`: some other replica holds all that it adds to that merge, and more or newer.
 * - `concurrent`: none does; it takes several replicas to know everything. Not in `lww` buckets.
 * - `absent`: it holds nothing, and another does.
 */
export type Relation = "equal" | "behind" | "concurrent" | "absent";

export interface Compared {
  /** Of the replica in question. */
  readonly record: KvRecord | undefined;
  readonly others: readonly (KvRecord | undefined)[];
  /** Of all of them. */
  readonly merged: KvRecord | undefined;
  readonly merge: (a: KvRecord, b: KvRecord) => KvRecord;
}

export function relationOf({ record, others, merged, merge }: Compared): Relation {
  if (sameVersions(record, merged)) return "equal";
  if (record === undefined) return "absent";
  const covered = others.some(
    (other) =>
      other !== undefined &&
      !sameVersions(other, record) &&
      sameVersions(merge(record, other), other),
  );
  return covered ? "behind" : "concurrent";
}

/** Whether both show a reader the same; what they remember of superseded writes may differ. */
function sameVersions(a: KvRecord | undefined, b: KvRecord | undefined): boolean {
  return namesOf(a) === namesOf(b);
}

function namesOf(record: KvRecord | undefined): string {
  return dotsOf(record).map(dotText).toSorted().join(" ");
}
