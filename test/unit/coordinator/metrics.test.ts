import { describe, expect, test } from "vitest";
import { MemoryDisk } from "../../../src/testing/memory-storage.ts";
import { LATENCY_MS, VirtualCluster, writeIdOf } from "../../support/virtual-cluster.ts";

describe("what a coordinator counts (N=3 R=W=2)", () => {
  test("rounds by their end, each with its time", async () => {
    const cluster = await VirtualCluster.open();
    const { telemetry } = cluster.node(1);
    await cluster.run(cluster.node(1).put("k", "v"));
    await cluster.run(cluster.node(1).get("k"));
    for (const round of ["learn", "write", "read"]) {
      const times = telemetry.observations("roundDuration", round, "met");
      expect(times).toHaveLength(1);
      expect(times[0]).toBeGreaterThanOrEqual((2 * LATENCY_MS) / 1_000);
    }
    cluster.silence([cluster.node(2), cluster.node(3)]);
    await cluster.errorOf(cluster.node(1).get("k", { timeoutMs: 300 }));
    expect(telemetry.observations("roundDuration", "read", "deadline")).toEqual([0.3]);
  });

  test("how long each replica takes, one that comes after the quorum among them", async () => {
    const cluster = await VirtualCluster.open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    await cluster.run(n1.put("takes the lease", "v"));
    await cluster.time.advance(100);
    cluster.fate = ({ from, leg }) => [leg === "answer" && from === n3.id ? 40 : LATENCY_MS];
    const before = n1.telemetry.observations("replicaDuration", "n3", "write").length;
    await cluster.run(n1.put(cluster.keyOf(n1, n2, n3), "v"));
    await cluster.time.advance(100);
    const { telemetry } = n1;
    expect(telemetry.observations("replicaDuration", "n2", "write").at(-1)).toBe(0.002);
    const late = telemetry.observations("replicaDuration", "n3", "write");
    expect(late.slice(before)).toEqual([0.041]);
    expect(telemetry.observations("replicaDuration", "n1", "write").length).toBeGreaterThan(0);
  });

  test("a replica that fails has a result and no time", async () => {
    const cluster = await VirtualCluster.open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    await cluster.run(n1.put("takes the lease", "v"));
    const before = n1.telemetry.observations("replicaDuration", "n2", "write").length;
    cluster.cut([n1], [n2]);
    await cluster.run(n1.put(cluster.keyOf(n1, n2, n3), "v"));
    expect(n1.telemetry.count("replicaAnswers", "n2", "write", "not-sent")).toBe(1);
    expect(n1.telemetry.observations("replicaDuration", "n2", "write")).toHaveLength(before);
  });

  test("the sizes of values; a tombstone has none", async () => {
    const cluster = await VirtualCluster.open();
    const node = cluster.node(1);
    await cluster.run(node.put("k", "12345"));
    await cluster.run(node.get("k"));
    await cluster.run(node.delete("k"));
    await cluster.run(node.get("k"));
    expect(node.telemetry.observations("valueSize", "write")).toEqual([5]);
    expect(node.telemetry.observations("valueSize", "read")).toEqual([5]);
  });

  test("siblings that reads find, in siblings buckets alone", async () => {
    const bucket = { mode: "siblings", blindWrites: "sibling" } as const;
    const cluster = await VirtualCluster.open({ bucket });
    const node = cluster.node(1);
    for (const value of ["a", "bb"]) await cluster.run(node.put("k", value));
    await cluster.run(node.get("k"));
    expect(node.telemetry.observations("siblings")).toEqual([2]);
    expect(new Set(node.telemetry.observations("valueSize", "read"))).toEqual(new Set([1, 2]));

    const lww = await VirtualCluster.open();
    await lww.run(lww.node(1).get("k"));
    expect(lww.node(1).telemetry.observations("siblings")).toEqual([]);
  });

  test("further attempts of a write", async () => {
    const cluster = await VirtualCluster.open();
    const { telemetry } = cluster.node(1);
    const writeId = writeIdOf("one");
    await cluster.run(cluster.node(1).put("k", "v", { writeId }));
    expect(telemetry.count("retriedWrites")).toBe(0);
    await cluster.run(cluster.node(1).put("k", "v", { writeId, attempt: 2 }));
    expect(telemetry.count("retriedWrites")).toBe(1);
  });
});

describe("what a node shows of its state", () => {
  test("partitions by how well off they are, and those it owns (N=3 of 5)", async () => {
    const cluster = await VirtualCluster.open({ nodes: 5 });
    const node = cluster.node(1);
    const { layout } = cluster.document;
    const all = layout.partitionCount;
    const gauge = (state: string) => node.telemetry.gauge("partitions", state);
    await cluster.time.advance(1_000);
    node.showState();
    expect([gauge("ok"), gauge("degraded"), gauge("no-quorum")]).toEqual([all, 0, 0]);
    const lists = Array.from({ length: all }, (_, p) => layout.preferenceList(p, 3));
    expect(node.telemetry.gauge("partitionsOwned")).toBe(
      lists.filter((list) => list.includes(node.id)).length,
    );
    expect(node.telemetry.gauge("layoutEpoch")).toBe(layout.epoch.number);
    expect(node.telemetry.gauge("documentVersion")).toBe(cluster.document.version);

    const gone = [cluster.node(4), cluster.node(5)];
    cluster.cut([node], gone);
    node.showState();
    const lost = lists.map((list) => gone.filter(({ id }) => list.includes(id)).length);
    const expected = [0, 1, 2].map((count) => lost.filter((each) => each === count).length);
    expect([gauge("ok"), gauge("degraded"), gauge("no-quorum")]).toEqual(expected);
  });

  test("a node that lost its directory is missing in its own eyes and in those of the others", async () => {
    const cluster = await VirtualCluster.open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    const all = cluster.document.layout.partitionCount;
    await cluster.run(n1.put("k", "v"));
    await cluster.time.advance(1_000);
    await cluster.run(n3.stop());
    n3.disk = new MemoryDisk();
    cluster.cut([n2], [n3]);
    await cluster.run(n3.start());
    await cluster.time.runUntil(() => n1.sees(n3) && n3.sees(n1));
    expect(n3.isWhole).toBe(false);
    n1.showState();
    n3.showState();
    expect(n1.telemetry.gauge("partitions", "degraded")).toBe(all);
    expect(n3.telemetry.gauge("partitions", "no-quorum")).toBe(all);

    cluster.heal([n2], [n3]);
    await cluster.connected();
    await cluster.whole();
    await cluster.time.advance(1_000);
    for (const node of cluster.nodes) {
      node.showState();
      expect(node.telemetry.gauge("partitions", "ok")).toBe(all);
    }
  });

  test("look-ups of the record cache and what it takes", async () => {
    const cluster = await VirtualCluster.open();
    const node = cluster.node(1);
    const key = cluster.keyOf(node, cluster.node(2), cluster.node(3));
    await cluster.run(node.put(key, "v"));
    const hits = node.telemetry.count("cacheLookups", "hit");
    await cluster.run(node.get(key));
    expect(node.telemetry.count("cacheLookups", "hit")).toBe(hits + 1);
    expect(node.telemetry.count("cacheLookups", "miss")).toBeGreaterThan(0);
    node.showState();
    expect(node.telemetry.gauge("cacheBytes")).toBeGreaterThan(0);
  });
});
