import { describe, expect, test } from "vitest";
import { OPTIONS } from "../../../src/core/config.ts";
import { equalBytes } from "../../../src/core/bytes.ts";
import { valueOf, VirtualCluster } from "../../support/virtual-cluster.ts";
import { addressOf } from "../../support/virtual-node.ts";
import type { VirtualNode } from "../../support/virtual-node.ts";

/** What a replica has lost is repaired only after every write that it acknowledged has ended. */
const SETTLED_MS = OPTIONS.requestTimeoutMaxMs.default ?? 0;
const NO_CACHE = { recordCacheBytes: 0 };

function isWhole(cluster: VirtualCluster, key: string): boolean {
  const [first, ...others] = cluster.nodes.map(({ disk }) => disk.get(addressOf(key)));
  return others.every((bytes) => first !== undefined && bytes && equalBytes(bytes, first));
}

const quarantined = (node: VirtualNode): number | undefined =>
  node.telemetry.gauge("quarantinedRecords");

describe("a rotten record (N=3 R=2 W=2)", () => {
  test("30 keys rot on one replica: no read is wrong or absent, and all are repaired by the node itself", async () => {
    const cluster = await VirtualCluster.open({ options: NO_CACHE });
    const keys = Array.from({ length: 30 }, (_, i) => `key-${i}`);
    for (const key of keys) await cluster.run(cluster.node(1).put(key, key));
    await cluster.time.advance(100);
    for (const key of keys) cluster.node(2).rot(key);
    for (const key of keys) {
      for (const node of cluster.nodes) {
        expect(valueOf(await cluster.run(node.get(key)))).toBe(key);
      }
    }
    await cluster.time.advance(SETTLED_MS + 1_000);
    expect(keys.filter((key) => !isWhole(cluster, key))).toEqual([]);
    expect(quarantined(cluster.node(2))).toBe(0);
    expect(cluster.node(2).telemetry.count("recordRepairs", "repaired")).toBe(30);
  });

  test("its block cannot be read: the same, and its neighbours are served all along", async () => {
    const cluster = await VirtualCluster.open({ options: NO_CACHE });
    for (const key of ["a", "b"]) await cluster.run(cluster.node(1).put(key, key));
    await cluster.time.advance(100);
    const [, n2] = cluster.nodes;
    n2?.disk.breakBlock(addressOf("a"));
    const reads = ["a", "b", "a"].map((key) => cluster.node(2).get(key));
    expect((await cluster.run(Promise.all(reads))).map(valueOf)).toEqual(["a", "b", "a"]);
    await cluster.time.advance(SETTLED_MS + 1_000);
    expect(valueOf(await cluster.run(cluster.node(2).get("a", { r: 3 })))).toBe("a");
  });

  test("a write that only it and one other hold is not lost when it rots: nothing older comes back", async () => {
    const cluster = await VirtualCluster.open({ options: NO_CACHE });
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    await cluster.run(n1.put("k", "old"));
    await cluster.time.advance(100);
    cluster.cut([n3], [n1, n2]);
    await cluster.run(n1.put("k", "new"));
    n2.rot("k");
    cluster.cut([n1], [n2]);
    cluster.heal([n3], [n2]);
    await cluster.time.advance(SETTLED_MS + 2_000);
    // One other does not prove anything: it may be the one that lacks the write.
    expect(await cluster.errorOf(n2.get("k"))).toMatchObject({ code: "read-unavailable" });
    await cluster.time.advance(10_000);
    expect(quarantined(n2)).toBe(1);
    cluster.heal([n1], [n2, n3]);
    await cluster.connected();
    await cluster.time.runUntil(() => quarantined(n2) === 0, { withinMs: 60_000 });
    expect(n2.record("k")?.version.writeId).toBe(n1.record("k")?.version.writeId);
    expect(valueOf(await cluster.run(n3.get("k")))).toBe("new");
  });

  test("a write that came while it was damaged survives the repair, a restart in between", async () => {
    const cluster = await VirtualCluster.open({ options: NO_CACHE });
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    await cluster.run(n1.put("k", "old"));
    await cluster.time.advance(100);
    n2.rot("k");
    cluster.cut([n3], [n2]);
    expect((await cluster.run(n1.put("k", "new", { w: 3 }))).quorum.acked).toBe(3);
    expect(quarantined(n2)).toBe(1);
    n2.losePower();
    await cluster.run(n2.start());
    await cluster.time.runUntil(() => n1.sees(n2) && n2.sees(n1));
    expect(await cluster.errorOf(n2.get("k"))).toMatchObject({ code: "read-unavailable" });
    expect(quarantined(n2)).toBe(1);
    cluster.heal([n3], [n2]);
    await cluster.connected();
    await cluster.time.runUntil(() => isWhole(cluster, "k"), { withinMs: 60_000 });
    expect(cluster.stored("k")).toEqual(["new", "new", "new"]);
  });

  test("nobody else holds anything: what no W replicas held is forgotten, and absence is told", async () => {
    const cluster = await VirtualCluster.open({ options: NO_CACHE });
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    cluster.fate = ({ leg, to }) => (leg === "request" && to !== n2.id ? [] : [1]);
    await cluster.errorOf(n2.put("k", "v", { timeoutMs: 100 }));
    n2.disk.overwrite(addressOf("k"), Uint8Array.of(1, 2, 3));
    cluster.fate = () => [1];
    await cluster.connected();
    expect((await cluster.run(n2.get("k"))).version).toBeUndefined();
    await cluster.time.advance(SETTLED_MS + 1_000);
    expect([n1, n2, n3].map(({ disk }) => disk.get(addressOf("k")))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(quarantined(n2)).toBe(0);
  });

  test("the other replicas are asked a few keys at a time, and less and less often in vain", async () => {
    const cluster = await VirtualCluster.open({ options: NO_CACHE });
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    const keys = Array.from({ length: 20 }, (_, i) => `key-${i}`);
    for (const key of keys) await cluster.run(n1.put(key, key));
    await cluster.time.advance(100);
    for (const key of keys) n2.rot(key);
    for (const key of keys) await cluster.errorOf(n1.get(key, { r: 3 }));
    await cluster.time.advance(SETTLED_MS + 5_000);
    expect(quarantined(n2)).toBe(0);
    cluster.cut([n2], [n1, n3]);
    for (const key of keys) n2.rot(key);
    for (const key of keys) await cluster.errorOf(n2.get(key));
    await cluster.time.advance(600_000);
    const attempts = n2.telemetry.count("recordRepairs", "unproven") / keys.length;
    expect(attempts).toBeGreaterThan(10);
    expect(attempts).toBeLessThan(20);
  });
});

describe("a rotten record that nothing can prove", () => {
  test.each([
    ["N=3 W=1", 3, { n: 3, r: 3, w: 1 }],
    ["N=1", 1, { n: 1, r: 1, w: 1 }],
  ])("%s: it stays in quarantine, visibly, and is never served", async (_name, nodes, bucket) => {
    const cluster = await VirtualCluster.open({ nodes, bucket, options: NO_CACHE });
    const n1 = cluster.node(1);
    await cluster.run(n1.put("k", "v"));
    await cluster.time.advance(100);
    n1.rot("k");
    expect(await cluster.errorOf(n1.get("k"))).toMatchObject({ code: "read-unavailable" });
    await cluster.time.advance(300_000);
    expect(await cluster.errorOf(n1.get("k"))).toMatchObject({ code: "read-unavailable" });
    expect(quarantined(n1)).toBe(1);
  });

  test("N=3 W=3: one other suffices", async () => {
    const cluster = await VirtualCluster.open({ bucket: { r: 1, w: 3 }, options: NO_CACHE });
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    await cluster.run(n1.put("k", "v"));
    cluster.cut([n3], [n1, n2]);
    n2.rot("k");
    expect(valueOf(await cluster.run(n2.get("k")))).toBe("v");
    await cluster.time.advance(SETTLED_MS + 1_000);
    expect(quarantined(n2)).toBe(0);
  });
});
