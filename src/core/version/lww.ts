import { assert } from "../assert.ts";
import { compareBytes, equalBytes } from "../bytes.ts";
import type { MergeModel } from "./merge-model.ts";
import { mergeRecent } from "./recent.ts";
import { withRecent } from "./record.ts";
import type { LwwRecord } from "./record.ts";
import type { Content } from "./version.ts";

/**
 * Last write wins: the greater of (stamp, tombstone over value, actor, write id). One documented
 * total order on whole versions, the same on every replica: comparing values first, or nothing
 * beyond the stamp, is how other stores let replicas disagree for ever or undelete. The writes that
 * either side has merged lately are remembered together.
 */
export const lww: MergeModel = {
  merge(key, stored, incoming) {
    if (stored === undefined) return incoming;
    assert(stored.mode === "lww" && incoming.mode === "lww", "a key has one mode");
    const [winner, loser] =
      compareVersions(incoming, stored) > 0 ? [incoming, stored] : [stored, incoming];
    const known = winner.recent;
    const recent = mergeRecent(known, loser.recent);
    return recent === known ? winner : withRecent(key, winner, recent);
  },
  equal(a, b) {
    return a === b || (a !== undefined && b !== undefined && equalBytes(a.bytes, b.bytes));
  },
  newest(record) {
    return record.stamp;
  },
};

function compareVersions(a: LwwRecord, b: LwwRecord): number {
  if (a.stamp !== b.stamp) return a.stamp < b.stamp ? -1 : 1;
  if (equalBytes(a.bytes, b.bytes)) return 0;
  const x = a.version;
  const y = b.version;
  const xDead = x.content === undefined;
  const yDead = y.content === undefined;
  if (xDead !== yDead) return xDead ? 1 : -1;
  if (x.actor !== y.actor) return x.actor < y.actor ? -1 : 1;
  if (x.writeId !== y.writeId) return x.writeId < y.writeId ? -1 : 1;
  // One dot and write id with two contents is a broken promise elsewhere; replicas converge even so.
  const byExpiry = (x.expiresAt ?? Infinity) - (y.expiresAt ?? Infinity) || 0;
  return byExpiry === 0 ? compareContents(x.content, y.content) : byExpiry;
}

function compareContents(a: Content | undefined, b: Content | undefined): number {
  if (a === undefined || b === undefined) return 0;
  const byValue = compareBytes(a.value, b.value);
  if (byValue !== 0) return byValue;
  const [x, y] = [a, b].map(({ contentType, contentEncoding }) =>
    JSON.stringify([contentType, contentEncoding]),
  );
  return x === y || x === undefined || y === undefined ? 0 : x < y ? -1 : 1;
}
