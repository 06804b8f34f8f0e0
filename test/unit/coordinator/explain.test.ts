import { describe, expect, test } from "vitest";
import type { ReplicaFacts } from "../../../src/core/explain/explanation.ts";
import { utf8 } from "../../../src/core/bytes.ts";
import { KvError } from "../../../src/core/errors.ts";
import { msOfStamp } from "../../../src/core/hlc.ts";
import { parseBucketName, parseKey } from "../../../src/core/ids.ts";
import type { ExplainResult } from "../../../src/ports/operations.ts";
import { LATENCY_MS, valueOf, VirtualCluster } from "../../support/virtual-cluster.ts";
import { addressOf } from "../../support/virtual-node.ts";
import type { VirtualNode } from "../../support/virtual-node.ts";

const TIMEOUT_MS = 400;

/** Key with the preference list n1, n2, n3, so that answers come in the order of the nodes. */
async function opened(options: Parameters<typeof VirtualCluster.open>[0] = {}) {
  const cluster = await VirtualCluster.open(options);
  const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
  const key = cluster.keyOf(n1, n2, n3);
  const explain = (node: VirtualNode): Promise<ExplainResult> => cluster.run(node.explain(key));
  return { cluster, n1, n2, n3, key, explain };
}

/** `equal`, `behind`, …, or why there is no answer. */
function wordOf(replica: ReplicaFacts): string {
  return replica.failure === undefined ? replica.relation : replica.failure.reason;
}

/** For each R the outcomes and the sets of replicas that they come from; + where the read repairs. */
function readsOf({ reads }: ExplainResult): readonly (readonly string[])[] | undefined {
  return reads?.map(({ results }) =>
    results.map(({ outcome, repairs, from }) =>
      [outcome, ...from.map((set) => set.join("")), ...(repairs ? ["+"] : [])].join(" "),
    ),
  );
}

describe("explain (N=3 R=W=2)", () => {
  test("in sync: all equal, every R returns the value and repairs nothing", async () => {
    const { cluster, n1, key, explain } = await opened();
    const { version } = await cluster.run(n1.put(key, "v", { w: 3 }));
    for (const node of cluster.nodes) {
      const result = await explain(node);
      expect(result.replicas.map(wordOf)).toEqual(["equal", "equal", "equal"]);
      expect(result.newest.map(({ stamp }) => stamp)).toEqual([version.stamp]);
      expect(readsOf(result)).toEqual([
        ["found n1 n2 n3"],
        ["found n1n2 n1n3 n2n3"],
        ["found n1n2n3"],
      ]);
    }
  });

  test("one replica behind: R=1 may return the old value, R=2 repairs where it is asked", async () => {
    const { cluster, n1, n2, n3, key, explain } = await opened();
    await cluster.run(n1.put(key, "old", { w: 3 }));
    cluster.cut([n3], [n1, n2]);
    await cluster.run(n1.put(key, "new"));
    cluster.heal([n3], [n1, n2]);
    await cluster.connected();
    const before = await explain(n3);
    expect(before.replicas.map(wordOf)).toEqual(["equal", "equal", "behind"]);
    expect(readsOf(before)).toEqual([
      ["found n1 n2", "found n3"],
      ["found n1n2", "found n1n3 n2n3 +"],
      ["found n1n2n3 +"],
    ]);
    const [newer, older] = before.reads?.[0]?.results ?? [];
    expect(newer?.versions).toEqual(before.newest);
    expect(older?.versions).not.toEqual(before.newest);
    expect(await explain(n1)).toMatchObject({ replicas: before.replicas.map(wordless) });
    await cluster.run(n1.get(key, { r: 3 }));
    expect((await explain(n3)).replicas.map(wordOf)).toEqual(["equal", "equal", "equal"]);
  });

  test("one replica without the key: absent, and R=1 there is a 404", async () => {
    const { cluster, n1, n2, n3, key, explain } = await opened();
    cluster.cut([n3], [n1, n2]);
    await cluster.run(n1.put(key, "v"));
    cluster.heal([n3], [n1, n2]);
    await cluster.connected();
    const result = await explain(n2);
    expect(result.replicas.map(wordOf)).toEqual(["equal", "equal", "absent"]);
    expect(readsOf(result)?.[0]).toEqual(["found n1 n2", "absent n3"]);
  });

  test("nobody has the key: nothing is missing, every read is a 404", async () => {
    const { n1, explain } = await opened();
    const result = await explain(n1);
    expect(result.replicas.map(wordOf)).toEqual(["equal", "equal", "equal"]);
    expect(readsOf(result)?.[2]).toEqual(["absent n1n2n3"]);
  });

  test("one replica unreachable costs no wait; R=3 cannot be had", async () => {
    const { cluster, n1, n2, n3, key, explain } = await opened();
    await cluster.run(n1.put(key, "v", { w: 3 }));
    cluster.cut([n3], [n1, n2]);
    const begun = cluster.time.now();
    const result = await explain(n1);
    expect(cluster.time.now() - begun).toBe(2 * LATENCY_MS);
    expect(result.replicas.map(wordOf)).toEqual(["equal", "equal", "not-sent"]);
    expect(readsOf(result)).toEqual([["found n1 n2"], ["found n1n2"], ["read-unavailable"]]);
  });

  test("a silent replica is waited for until the deadline, and the others are told of", async () => {
    const { cluster, n1, n3, key, explain } = await opened();
    await cluster.run(n1.put(key, "v", { w: 3 }));
    cluster.silence([n3]);
    const begun = cluster.time.now();
    const result = await cluster.run(n1.explain(key, { timeoutMs: TIMEOUT_MS }));
    expect(cluster.time.now() - begun).toBe(TIMEOUT_MS);
    expect(result.replicas.map(wordOf)).toEqual(["equal", "equal", "deadline"]);
    cluster.unsilence([n3]);
    await cluster.connected();
    expect((await explain(n1)).replicas.map(wordOf)).toEqual(["equal", "equal", "equal"]);
  });

  test("no replica but a node that has none of the key: it still answers", async () => {
    const cluster = await VirtualCluster.open({ nodes: 4 });
    const [n1, n2, n3, n4] = [1, 2, 3, 4].map((n) => cluster.node(n));
    if (!n1 || !n2 || !n3 || !n4) throw new Error("there are four");
    const key = cluster.keyOf(n1, n2, n3);
    cluster.cut([n4], [n1, n2, n3]);
    const result = await cluster.run(n4.explain(key));
    expect(result.replicas.map(wordOf)).toEqual(["not-sent", "not-sent", "not-sent"]);
    expect(result.newest).toEqual([]);
    expect(readsOf(result)).toEqual([
      ["read-unavailable"],
      ["read-unavailable"],
      ["read-unavailable"],
    ]);
  });

  test("a damaged record is told as such, and the others are compared", async () => {
    const { cluster, n1, n2, n3, key, explain } = await opened();
    await cluster.run(n1.put(key, "old", { w: 3 }));
    cluster.cut([n2], [n1, n3]);
    await cluster.run(n1.put(key, "new"));
    cluster.heal([n2], [n1, n3]);
    await cluster.connected();
    n3.kill();
    n3.disk.rot(addressOf(key), utf8("rotten"));
    await cluster.run(n3.start());
    await cluster.connected();
    const result = await explain(n1);
    expect(result.replicas.map(wordOf)).toEqual(["equal", "behind", "damaged-record"]);
    expect(readsOf(result)?.[1]).toEqual(["found n1n2 +"]);
  });

  test.each([
    ["cut off, fails the read that must write back (W=3)", "cut", "read-unconfirmed"],
    ["with a damaged record, takes what is written back (W=3)", "rot", "found"],
  ] as const)("a replica %s, as foretold", async (_name, fault, outcome) => {
    const { cluster, n1, n2, n3, key, explain } = await opened({ bucket: { w: 3 } });
    await cluster.run(n1.put(key, "old"));
    cluster.cut([n2], [n1, n3]);
    await cluster.run(n1.put(key, "new", { w: 2 }));
    cluster.heal([n2], [n1, n3]);
    n3.kill();
    if (fault === "rot") n3.disk.rot(addressOf(key), utf8("rotten"));
    await cluster.run(n3.start());
    await cluster.connected();
    if (fault === "cut") cluster.cut([n3], [n1, n2]);
    expect(readsOf(await explain(n1))?.[1]).toEqual([`${outcome} n1n2 +`]);
    const read = n1.get(key, { r: 2 });
    const end = await cluster.run(
      read.then(valueOf, (error: unknown) => error instanceof KvError && error.code),
    );
    expect(end).toBe(outcome === "found" ? "new" : outcome);
  });

  test("a tombstone, and an end that has passed by one clock and not by the other", async () => {
    const { cluster, n1, n2, key, explain } = await opened({ wallOffsetsMs: [0, 900, 0] });
    const { version } = await cluster.run(n1.put(key, "v", { ttlSeconds: 1, w: 3 }));
    // n2 reads 900 ms more: by its clock the second is over.
    await cluster.time.advance(200);
    const { replicas, reads } = await explain(n1);
    expect(
      replicas.map((it) => it.failure === undefined && it.record?.versions[0]?.expiredBy),
    ).toEqual([[], ["replica"], []]);
    expect(reads?.[0]?.results.map(({ outcome, from }) => [outcome, from.flat()])).toEqual([
      ["found", ["n1", "n3"]],
      ["expired", ["n2"]],
    ]);
    const [ends] = replicas.map((it) => it.failure === undefined && it.record?.versions[0]);
    expect(ends && ends.expiresAt).toBe(msOfStamp(version.stamp) + 1_000);
    await cluster.run(n2.delete(key, { w: 3 }));
    const deleted = await explain(n1);
    expect(readsOf(deleted)?.[2]).toEqual(["deleted n1n2n3"]);
    expect(deleted.replicas).toMatchObject([
      { record: { versions: [{ content: undefined }] } },
      {},
      {},
    ]);
  });

  test("siblings: each side of a cut has its own until a read brings them together", async () => {
    const { cluster, n1, n2, n3, key, explain } = await opened({ bucket: { mode: "siblings" } });
    cluster.cut([n1], [n2, n3]);
    await cluster.run(Promise.all([n1.put(key, "a", { w: 1 }), n2.put(key, "b", { w: 1 })]));
    cluster.heal([n1], [n2, n3]);
    await cluster.connected();
    const parted = await explain(n3);
    expect(parted.replicas.map(wordOf)).toEqual(["concurrent", "concurrent", "concurrent"]);
    expect(parted.newest).toHaveLength(2);
    expect(readsOf(parted)).toEqual([
      ["found n1", "found n2 n3"],
      ["siblings n1n2 n1n3 +", "found n2n3"],
      ["siblings n1n2n3 +"],
    ]);
    await cluster.run(n3.get(key, { r: 3 }));
    const together = await explain(n3);
    expect(together.replicas.map(wordOf)).toEqual(["equal", "equal", "equal"]);
    expect(readsOf(together)?.[0]).toEqual(["siblings n1 n2 n3"]);
  });

  test("writes nothing: no message but reads, and the disks keep their bytes", async () => {
    const { cluster, n1, n2, n3, key, explain } = await opened();
    cluster.cut([n3], [n1, n2]);
    await cluster.run(n1.put(key, "v"));
    cluster.heal([n3], [n1, n2]);
    await cluster.connected();
    const before = cluster.stored(key);
    cluster.requests.length = 0;
    await explain(n1);
    await cluster.time.advance(1_000);
    expect(cluster.requests.map(({ kind, to }) => `${kind} ${to}`)).toEqual(["read n2", "read n3"]);
    expect(cluster.stored(key)).toEqual(before);
  });

  test("answers on a node whose clock keeps it from coordinating", async () => {
    const { cluster, n1, key, explain } = await opened({
      wallOffsetsMs: [60_000, 0, 0],
      options: { clockOffsetMaxMs: 500 },
    });
    expect((await cluster.errorOf(n1.get(key))).code).toBe("clock-unsafe");
    expect((await explain(n1)).replicas.map(wordOf)).toEqual(["equal", "equal", "equal"]);
  });

  test("of an unknown bucket is refused as a read is", async () => {
    const { cluster, n1, key } = await opened();
    const bucket = parseBucketName("nowhere");
    expect((await cluster.errorOf(n1.explain(key, { bucket }))).code).toBe("bucket-not-found");
  });
});

test("locate names partition, epoch and the replicas in order, and asks nobody", async () => {
  const { cluster, n1, key } = await opened();
  const { layout } = cluster.document;
  cluster.requests.length = 0;
  const placement = n1.operations.locate(parseBucketName("default"), parseKey(utf8(key)));
  expect(placement.epoch).toEqual(layout.epoch);
  expect(placement.preferenceList.map(({ id }) => id)).toEqual(cluster.preferenceList(key));
  expect(layout.preferenceList(placement.partition, 3)).toEqual(cluster.preferenceList(key));
  expect(cluster.requests).toEqual([]);
});

/** All but the clock, which differs between two looks. */
function wordless(replica: ReplicaFacts): object {
  if (replica.failure !== undefined) return replica;
  const { node, relation, inSync } = replica;
  return { node, relation, inSync };
}
