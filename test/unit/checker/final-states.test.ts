import { describe, expect, test } from "vitest";
import { convergence } from "../../../src/checker/convergence.ts";
import { durability } from "../../../src/checker/durability.ts";
import type { History, ReplicaRecord, ReplicaState } from "../../../src/checker/history.ts";
import { outcomeHonesty } from "../../../src/checker/outcome-honesty.ts";
import { writeOrder } from "../../../src/checker/write-order.ts";
import { unwritten } from "../../../src/checker/unwritten.ts";
import { forAll } from "../core/support/for-all.ts";
import { history, holding, put, refused } from "./support/operations.ts";
import { atomicHistory } from "./support/register-histories.ts";

const SIZES = { operationsMax: 20, keys: 2 };

/** The history with what all replicas, or some, hold of one key put in another's place. */
function holdingInstead(
  { operations, replicas }: History,
  key: string,
  record: ReplicaRecord | undefined,
  isAt: (replica: ReplicaState) => boolean = () => true,
): History {
  const changed = replicas.map((replica) => {
    if (!isAt(replica)) return replica;
    const records = new Map(replica.records);
    if (record === undefined) records.delete(key);
    else records.set(key, record);
    return { ...replica, records };
  });
  return { operations, replicas: changed };
}

/** Keys whose final version was acknowledged: nothing may take its place. */
function acknowledgedFinals({ operations, replicas }: History): readonly [string, ReplicaRecord][] {
  const acknowledged = new Set(
    operations.filter((it) => it.kind !== "get" && it.outcome === "ok").map((it) => it.version),
  );
  return [...(replicas[0]?.records ?? [])].filter(([, it]) => acknowledged.has(it.version));
}

describe("durability: an acknowledged write is held in the end, or superseded", () => {
  test("of a correct history, one dropped from all final states is missed", () => {
    let dropped = 0;
    forAll([atomicHistory(SIZES)], (seen) => {
      for (const [key, { stamp }] of acknowledgedFinals(seen)) {
        dropped += 1;
        expect(durability(holdingInstead(seen, key, undefined)).verdict).toBe("false");
        const older = seen.operations.find(
          (it) => it.key === key && it.kind !== "get" && (it.stamp ?? Infinity) < stamp,
        );
        if (older?.version === undefined || older.stamp === undefined) continue;
        const { version, stamp: olderStamp } = older;
        const record = { version, stamp: olderStamp, tombstone: false, digest: version };
        expect(durability(holdingInstead(seen, key, record)).verdict).toBe("false");
      }
    });
    expect(dropped).toBeGreaterThan(10);
  });

  test("one replica that holds it is enough; the others are the matter of convergence", () => {
    const seen = history([put("a", 0, 1, { stamp: 1 })], holding(["a", 1], undefined, undefined));
    expect(durability(seen).verdict).toBe("true");
    expect(convergence(seen).verdict).toBe("false");
  });

  test("W=1 survives as well, for disks survive; async is not promised", () => {
    const gone = holding(undefined, undefined, undefined);
    expect(durability(history([put("a", 0, 1, { w: 1 })], gone)).verdict).toBe("false");
    const renounced = put("a", 0, 1, { durability: "async" });
    expect(durability(history([renounced], gone))).toMatchObject({ verdict: "true", examined: 0 });
  });

  test("a final version that is certainly older by times does not supersede, whatever its stamp", () => {
    const operations = [put("a", 0, 1, { stamp: 9 }), put("b", 2, 3, { stamp: 5 })];
    const { violations } = durability(history(operations, holding(["a", 9], ["a", 9], ["a", 9])));
    expect(violations.map(({ sentence }) => sentence)).toEqual([
      'put of "b" by client 0 [2, 3, stamp 5] was acknowledged and is lost: the newest that any replica ' +
        'holds is "a" at n1, stamp 9, acknowledged before this one was called.',
    ]);
  });

  test("the newest that any replica holds is what counts", () => {
    const operations = [put("b", 0, 1, { stamp: 2 }), put("c", 0, undefined)];
    expect(durability(history(operations, holding(["a", 1], ["c", 3]))).verdict).toBe("true");
    expect(durability(history(operations, holding(["c", 3], ["a", 1]))).verdict).toBe("true");
    expect(durability(history(operations, holding(["a", 1], ["a", 1]))).verdict).toBe("false");
  });

  test("a version that is held is not lost, even under another stamp than it was acknowledged with", () => {
    const seen = history([put("a", 0, 1, { stamp: 9 })], holding(["a", 5]));
    expect(durability(seen).verdict).toBe("true");
    expect(writeOrder(seen).verdict).toBe("false");
  });

  test("a greater stamp supersedes where the later learn round may have missed it: W=1, async", () => {
    for (const unseen of [{ w: 1 }, { durability: "async" }] as const) {
      const operations = [put("a", 0, 1, { stamp: 9, ...unseen }), put("b", 2, 3, { stamp: 5 })];
      const seen = history(operations, holding(["a", 9], ["a", 9], ["a", 9]));
      expect([durability(seen).verdict, writeOrder(seen).verdict]).toEqual(["true", "true"]);
    }
  });

  test("is unknown without dumps of the replicas, unless there is nothing to lose", () => {
    expect(durability(history([put("a", 0, 1)])).verdict).toBe("unknown");
    expect(durability(history([put("a", 0)])).verdict).toBe("true");
  });
});

describe("convergence: all N replicas hold equal bytes in the end", () => {
  test("of a correct history, one replica with another digest or without the key is found", () => {
    forAll([atomicHistory(SIZES)], (seen) => {
      expect(convergence(seen).verdict).toBe("true");
      for (const [key, record] of seen.replicas[0]?.records ?? []) {
        const isLast = ({ node }: ReplicaState): boolean => node === "n3";
        const other = { ...record, digest: "other" };
        expect(convergence(holdingInstead(seen, key, other, isLast)).verdict).toBe("false");
        expect(convergence(holdingInstead(seen, key, undefined, isLast)).verdict).toBe("false");
      }
    });
  });

  test("nodes beyond the N of a key need not hold it (5 nodes, N=3)", () => {
    const seen = history([put("a", 0, 1)], holding(["a", 1], undefined, ["a", 1], ["a", 1]));
    expect(convergence(seen).verdict).toBe("true");
  });

  test("is unknown without dumps of the replicas", () => {
    expect(convergence(history([put("a", 0, 1)])).verdict).toBe("unknown");
    expect(convergence(history([])).verdict).toBe("true");
  });
});

describe("what replicas hold was written by somebody", () => {
  test("a replica with a version that nobody attempted", () => {
    const seen = history([put("a", 0, 1)], holding(["a", 1], ["x", 2]));
    expect(unwritten(seen).violations.map(({ sentence }) => sentence)).toEqual([
      'Replica n2 holds "x": nobody attempted to write it.',
    ]);
  });

  test("a refused version counts as attempted; that it is held is the matter of outcome-honesty", () => {
    const seen = history([refused("a", 0, 1)], holding(["a", 1]));
    expect(unwritten(seen).verdict).toBe("true");
    expect(outcomeHonesty(seen).verdict).toBe("false");
  });

  test("a version of which one attempt was refused and another is unknown may be read", () => {
    const seen = history([refused("a", 0, 1), put("a", 2)], holding(["a", 1]));
    expect(outcomeHonesty(seen)).toMatchObject({ verdict: "true", examined: 0 });
  });
});
