import { compareBytes } from "../bytes.ts";
import type { MergeModel } from "./merge-model.ts";
import type { KvRecord } from "./record.ts";

/**
 * Last write wins: the greater of (stamp, tombstone over value, actor, write id). One documented
 * total order on whole versions, the same on every replica: comparing values first, or nothing
 * beyond the stamp, is how other stores let replicas disagree for ever or undelete.
 */
export const lww: MergeModel = {
  merge(stored, incoming) {
    return stored === undefined || compareRecords(incoming, stored) > 0 ? incoming : stored;
  },
  equal(a, b) {
    return a === b || (a !== undefined && b !== undefined && compareRecords(a, b) === 0);
  },
  newest(record) {
    return record.stamp;
  },
};

function compareRecords(a: KvRecord, b: KvRecord): number {
  if (a.stamp !== b.stamp) return a.stamp < b.stamp ? -1 : 1;
  const byBytes = compareBytes(a.bytes, b.bytes);
  if (byBytes === 0) return 0;
  const x = a.version;
  const y = b.version;
  const xDead = x.content === undefined;
  const yDead = y.content === undefined;
  if (xDead !== yDead) return xDead ? 1 : -1;
  if (x.actor !== y.actor) return x.actor < y.actor ? -1 : 1;
  if (x.writeId !== y.writeId) return x.writeId < y.writeId ? -1 : 1;
  // One dot and write id with two contents is a broken promise elsewhere; replicas converge even so.
  return byBytes;
}
