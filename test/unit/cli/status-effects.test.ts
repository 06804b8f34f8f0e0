import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { absentOf, effectsOf } from "../../../src/cli/status/effects.ts";
import type { Absent } from "../../../src/cli/status/effects.ts";
import { judge } from "../../../src/cli/status/judge.ts";
import type { ClusterStatus } from "../../../src/client/client.ts";
import { parseAddress } from "../../../src/core/config.ts";
import { parseNodeId } from "../../../src/core/ids.ts";
import { Layout } from "../../../src/core/layout/layout.ts";
import { statusOf } from "../../support/cluster-status.ts";

const PARTITIONS = 256;
const EVERY = { down: new Set(), unread: new Set(), full: new Set() } as unknown as Absent;

function bucket(name: string, { n = 3, r = 2, w = 2 } = {}): ClusterStatus["buckets"][number] {
  return { name, mode: "lww", n, r, w, durability: "sync", valueBytesMax: 1 };
}

/** Of a cluster of so many members, as `node` tells it. */
function clusterOf(
  count: number,
  {
    node = "n1",
    down = [],
    buckets = [bucket("default")],
    ...fields
  }: Partial<ClusterStatus> & { down?: readonly string[] } = {},
): ClusterStatus {
  const members = Array.from({ length: count }, (_, at) => `n${at + 1}`);
  const layout = layoutOf(count);
  return statusOf(node, {
    epochHash: layout.epoch.hash.toString(16).padStart(8, "0"),
    buckets,
    members: members.map((id) => ({
      id,
      zone: null,
      peerAddress: "127.0.0.1:1",
      state: id === node ? "self" : down.includes(id) ? "unreachable" : "connected",
      reason: null,
      clockOffsetMs: null,
    })),
    ...fields,
  });
}

function layoutOf(count: number): Layout {
  const address = parseAddress("127.0.0.1:1");
  const ids = Array.from({ length: count }, (_, at) => parseNodeId(`n${at + 1}`));
  return new Layout({ number: 1, members: ids.map((id) => ({ id, zone: undefined, address })) });
}

function report(status: ClusterStatus) {
  return { endpoint: `http://${status.node}`, state: "ready", status, reason: null } as const;
}

describe("what clients notice", () => {
  test("with N members and N replicas each partition is like every other (any N, R, W, any down)", () => {
    const cases = fc.integer({ min: 1, max: 5 }).chain((n) =>
      fc.record({
        n: fc.constant(n),
        r: fc.integer({ min: 1, max: n }),
        w: fc.integer({ min: 1, max: n }),
        down: fc.integer({ min: 0, max: n - 1 }),
        unread: fc.integer({ min: 0, max: n }),
        full: fc.integer({ min: 0, max: n }),
      }),
    );
    fc.assert(
      fc.property(cases, ({ n, r, w, down, unread, full }) => {
        const last = (count: number) =>
          new Set(Array.from({ length: count }, (_, at) => `n${n - at}`));
        const absent = { down: last(down), unread: last(unread), full: last(full) };
        const [effect] = effectsOf(clusterOf(n, { buckets: [bucket("b", { n, r, w })] }), absent);
        // All three are the last ones, so that the larger set holds the smaller.
        const readers = n - Math.max(down, unread);
        const writers = n - Math.max(down, full);
        const learners = r + w > n ? n + 1 - Math.min(r, w) : Math.min(w, n + 1 - Math.min(r, w));
        expect(effect?.unreadable).toBe(readers >= r ? 0 : PARTITIONS);
        expect(effect?.lost).toBe(readers >= 1 ? 0 : PARTITIONS);
        expect(effect?.unwritable).toBe(writers >= w && readers >= learners ? 0 : PARTITIONS);
      }),
    );
  });

  test("with more members than replicas, the partitions that lost two of three are counted (5 members)", () => {
    const layout = layoutOf(5);
    const lists = Array.from({ length: PARTITIONS }, (_, at) => layout.preferenceList(at, 3));
    const both = lists.filter((list) => ["n4", "n5"].every((id) => list.some((one) => one === id)));
    const down = new Set(["n4", "n5"]);
    const [effect] = effectsOf(clusterOf(5), { ...EVERY, down });
    expect(effect).toMatchObject({ unreadable: both.length, unwritable: both.length, lost: 0 });
    expect(both.length).toBeGreaterThan(0);
    expect(both.length).toBeLessThan(PARTITIONS);
    const { problems } = judge([report(clusterOf(5, { down: ["n4", "n5"] }))]);
    expect(problems[0]?.what).toBe(
      `bucket 'default' (N=3 R=2 W=2): not readable in ${both.length} of 256 partitions, not writable in ${both.length} of 256 partitions`,
    );
    expect(problems[0]?.advice).toBe(
      "Too few replicas are left: n4, n5 cannot be reached. It ends with that. Until then `kv get KEY -r one` reads what one replica holds, be it old.",
    );
  });

  test("one of three down: nothing for a bucket of R=W=2; no reads of R=3, no writes of W=3", () => {
    const buckets = [
      bucket("default"),
      bucket("careful", { r: 3, w: 1 }),
      bucket("kept", { r: 1, w: 3 }),
    ];
    const { problems } = judge([report(clusterOf(3, { down: ["n3"], buckets }))]);
    const told = problems.map(({ what }) => what).filter((what) => what.startsWith("bucket"));
    expect(told).toEqual([
      "bucket 'careful' (N=3 R=3 W=1): not readable in any partition, not writable in any partition",
      "bucket 'kept' (N=3 R=1 W=3): not writable in any partition",
    ]);
  });

  test("a node on a full disk takes no writes, one that resynchronises answers no reads", () => {
    const kept = { buckets: [bucket("kept", { r: 1, w: 3 })] };
    const full = judge([report(clusterOf(3, { ...kept, state: "read-only" }))]).problems;
    expect(full[0]?.what).toBe("bucket 'kept' (N=3 R=1 W=3): not writable in any partition");
    expect(full[0]?.advice).toContain("n1 takes no writes");
    const careful = { buckets: [bucket("careful", { r: 3, w: 3 })] };
    const resync = { cause: "lost", partitions: 256, awaited: [] };
    const healing = judge([report(clusterOf(3, { ...careful, resync }))]).problems;
    expect(healing[0]?.what).toContain("not readable in any");
    expect(healing[0]?.advice).toContain("-b careful -r one");
  });

  test("a member that one node does not reach, but another does, is not down for clients", () => {
    const absent = absentOf([
      clusterOf(3, { node: "n1", down: ["n3"] }),
      clusterOf(3, { node: "n2" }),
    ]);
    expect(absent.down).toEqual(new Set());
  });

  test("nodes that place keys otherwise than this kv: nothing is claimed", () => {
    expect(effectsOf(clusterOf(3, { epochHash: "00000000" }), EVERY)).toEqual([]);
    const strange = clusterOf(3).members.map((member) => ({ ...member, peerAddress: "unix:/x" }));
    expect(effectsOf(clusterOf(3, { members: strange }), EVERY)).toEqual([]);
  });
});
