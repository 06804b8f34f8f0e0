import { describe, expect, test } from "vitest";
import { checkAll, STRONG_CHECKERS } from "../../../src/checker/check-all.ts";
import type { History } from "../../../src/checker/history.ts";
import { get, history, holding, put, refused, remove } from "./support/operations.ts";

/** The names of the checkers that find the history false. */
function objecting(of: History): readonly string[] {
  return checkAll(of, STRONG_CHECKERS)
    .filter(({ verdict }) => verdict === "false")
    .map(({ checker }) => checker);
}

interface Anomaly {
  readonly name: string;
  readonly seen: History;
  readonly by: readonly string[];
}

const LINEARIZABLE = "linearizable-register";

const PUBLISHED: readonly Anomaly[] = [
  {
    name: "lost update: a write stamped by a slow clock loses to the one acknowledged before it",
    seen: history(
      [
        put("a", 0, 1, { stamp: 100 }),
        put("b", 2, 3, { stamp: 50 }),
        get("a", 4, 5, { stamp: 100 }),
      ],
      holding(["a", 100], ["a", 100], ["a", 100]),
    ),
    by: ["regular", "write-order", "durability", LINEARIZABLE],
  },
  {
    name: "lost write: acknowledged from memory, gone after a power failure of all nodes",
    seen: history([put("a", 0, 1, { stamp: 1 })], holding(undefined, undefined, undefined)),
    by: ["durability"],
  },
  {
    name: "lost write: replicas fall back to the version before",
    seen: history(
      [put("a", 0, 1, { stamp: 1 }), put("b", 2, 3, { stamp: 2 })],
      holding(["a", 1], ["a", 1], ["a", 1]),
    ),
    by: ["write-order", "durability"],
  },
  {
    name: "stale read: the version before the one acknowledged last",
    seen: history([put("a", 0, 1), put("b", 2, 3), get("a", 4, 5)]),
    by: ["regular", LINEARIZABLE],
  },
  {
    name: "stale read: nothing, after an acknowledged write",
    seen: history([put("a", 0, 1), get(undefined, 2, 3)]),
    by: ["regular", LINEARIZABLE],
  },
  {
    name: "stale read that only stamps show: of two concurrent writes the smaller",
    seen: history([
      put("a", 0, 3, { stamp: 1 }),
      put("b", 0, 3, { stamp: 2 }),
      get("a", 4, 5, { stamp: 1 }),
    ]),
    by: ["regular"],
  },
  {
    name: "new-then-old read of an unacknowledged write (scylla #29387: read repair does not block)",
    seen: history([put("a", 0, 1), put("b", 2), get("b", 3, 4), get("a", 5, 6)]),
    by: ["monotonic-reads", LINEARIZABLE],
  },
  {
    name: "new-then-old read: v, z, v of two unacknowledged writes",
    seen: history([put("v", 0), put("z", 0), get("v", 1, 2), get("z", 3, 4), get("v", 5, 6)]),
    by: ["monotonic-reads", LINEARIZABLE],
  },
  {
    name: "new-then-old read: two pairs of concurrent gets that disagree about the order",
    seen: history([
      put("v", 0),
      put("z", 0),
      get("v", 1, 2, { client: 1 }),
      get("z", 1, 2, { client: 2 }),
      get("v", 3, 4, { client: 1 }),
      get("z", 3, 4, { client: 2 }),
    ]),
    by: ["monotonic-reads", LINEARIZABLE],
  },
  {
    name: "unread value: something, then nothing",
    seen: history([put("a", 0), get("a", 1, 2), get(undefined, 3, 4)]),
    by: ["monotonic-reads", LINEARIZABLE],
  },
  {
    name: "aborted read: a write proven without effect is read (Redis-Raft, Scylla LWT)",
    seen: history([refused("a", 0, 1), get("a", 2, 3)]),
    by: ["outcome-honesty", LINEARIZABLE],
  },
  {
    name: "aborted write that is there after a restart (EIO reported as failed)",
    seen: history([refused("a", 0, 1)], holding(["a", 1], ["a", 1], ["a", 1])),
    by: ["outcome-honesty"],
  },
  {
    name: "value out of thin air: nobody wrote it (bit rot)",
    seen: history([put("a", 0, 1), get("4", 2, 3)]),
    by: ["unwritten", LINEARIZABLE],
  },
  {
    name: "value out of thin air: it was written under another key",
    seen: history([put("a", 0, 1, { key: "other" }), get("a", 2, 3)]),
    by: ["unwritten", LINEARIZABLE],
  },
  {
    name: "value from the future",
    seen: history([get("a", 0, 1), put("a", 2, 3)]),
    by: ["unwritten", LINEARIZABLE],
  },
  {
    name: "resurrection: an unacknowledged write is read again after it was overwritten",
    seen: history([put("u", 0), get("u", 1, 2), put("a", 3, 4), get("a", 5, 6), get("u", 7, 8)]),
    by: ["monotonic-reads", LINEARIZABLE],
  },
  {
    name: "resurrection: a deleted key returns (a late hint, a short tombstone grace)",
    seen: history([put("a", 0, 1), remove("d", 2, 3), get("d", 4, 5), get("a", 6, 7)]),
    by: ["regular", "monotonic-reads", LINEARIZABLE],
  },
  {
    name: "doomstone: an old tombstone subsumes the value written after it (riak_kv #1094)",
    seen: history(
      [
        put("a", 0, 1, { stamp: 1 }),
        remove("d", 2, 3, { stamp: 2 }),
        put("b", 4, 5, { stamp: 3 }),
        get("d", 6, 7, { stamp: 2 }),
      ],
      holding(["d", 2], ["d", 2], ["d", 2]),
    ),
    by: ["regular", "write-order", "durability", LINEARIZABLE],
  },
  {
    name: "a write stamped again on conflict: one version with two stamps",
    seen: history([put("v", 0, 9, { stamp: 7 }), get("v", 1, 2, { stamp: 3 })]),
    by: ["write-order"],
  },
  {
    name: "equal stamps without a tie-break: replicas keep what came first",
    seen: history(
      [put("a", 0, 1, { stamp: 5 }), put("b", 0, 1, { stamp: 5 })],
      holding(["a", 5], ["a", 5], ["b", 5]),
    ),
    by: ["convergence"],
  },
  {
    name: "a replica that never got the write",
    seen: history([put("a", 0, 1, { stamp: 5 })], holding(["a", 5], ["a", 5], undefined)),
    by: ["convergence"],
  },
  {
    name: "one version, other bytes (a digest that leaves out the tombstone flag)",
    seen: history(
      [put("a", 0, 1, { stamp: 5 })],
      [
        ...holding(["a", 5], ["a", 5]),
        {
          node: "n3",
          records: new Map([["k", { version: "a", stamp: 5, tombstone: true, digest: "other" }]]),
        },
      ],
    ),
    by: ["convergence"],
  },
];

describe("published anomalies are found, by the checkers that they concern and no other", () => {
  test.each(PUBLISHED)("$name", ({ seen, by }) => {
    expect(objecting(seen)).toEqual(by);
  });
});

const HELD = holding(["a", 1], ["a", 1], ["a", 1]);

const ALLOWED: readonly Omit<Anomaly, "by">[] = [
  { name: "nothing happened", seen: history([]) },
  {
    name: "a write of unknown outcome takes effect long after it was overwritten",
    seen: history([put("u", 0), put("a", 1, 2), get("a", 3, 4), get("u", 90, 91)]),
  },
  {
    name: "a get that overlaps a write returns the version before",
    seen: history([put("a", 0, 1), put("b", 2, 9), get("a", 3, 4), get("b", 5, 6)]),
  },
  {
    name: "operations that touch at one instant are concurrent",
    seen: history([put("a", 0, 1), put("b", 1, 2), get("a", 2, 3), get("b", 3, 4)]),
  },
  {
    name: "a refused write, and a get that finds nothing",
    seen: history([refused("a", 0, 1), get(undefined, 2, 3)]),
  },
  {
    name: "a tombstone is read, which is something else than nothing",
    seen: history([put("a", 0, 1), remove("d", 2, 3), get("d", 4, 5), get("d", 6, 7)]),
  },
  {
    name: "the final state is a write of unknown outcome that superseded an acknowledged one",
    seen: history(
      [put("a", 0), put("b", 1, 2, { stamp: 1 })],
      holding(["a", 9], ["a", 9], ["a", 9]),
    ),
  },
  {
    name: "of two writes with equal stamps one is kept by all",
    seen: history([put("a", 0, 1, { stamp: 1 }), put("b", 0, 1, { stamp: 1 })], HELD),
  },
];

describe("what looks odd and is allowed", () => {
  test.each(ALLOWED)("$name", ({ seen }) => {
    expect(objecting(seen)).toEqual([]);
  });
});
