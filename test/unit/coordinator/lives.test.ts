import { describe, expect, test } from "vitest";
import { LATENCY_MS, valueOf, VirtualCluster } from "../../support/virtual-cluster.ts";

describe("stopping and starting", () => {
  test("a node that is stopped and started keeps its actor and mints above what it minted", async () => {
    const cluster = await VirtualCluster.open();
    const node = cluster.node(1);
    const { actor } = node;
    const before = await cluster.run(node.put("k", "before"));
    await cluster.run(node.stop());
    await cluster.run(node.start());
    await cluster.connected();
    expect(node.actor).toBe(actor);
    const after = await cluster.run(node.put("k", "after"));
    expect(node.record("k")?.version.actor).toBe(actor);
    expect(after.version.stamp).toBeGreaterThan(before.version.stamp);
    expect(valueOf(await cluster.run(cluster.node(2).get("k")))).toBe("after");
  });

  test.each(["kill", "losePower"] as const)(
    "a node that died (%s) comes back as another actor and mints above what it minted",
    async (death) => {
      const cluster = await VirtualCluster.open();
      const node = cluster.node(1);
      const actors = [node.actor];
      let newest = 0;
      for (let life = 0; life < 3; life++) {
        const { version } = await cluster.run(node.put("k", `life ${life}`));
        expect(version.stamp).toBeGreaterThan(newest);
        newest = version.stamp;
        node[death]();
        node.wallOffsetMs -= 3_600_000;
        await cluster.run(node.start());
        await cluster.connected();
        actors.push(node.actor);
      }
      expect(new Set(actors).size).toBe(4);
    },
  );

  test("stopping ends nothing that was acknowledged and leaves nobody waiting", async () => {
    const cluster = await VirtualCluster.open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    const key = cluster.keyOf(n1, n2, n3);
    const writes = Array.from({ length: 10 }, (_, i) => n1.put(`${key}-${i}`, "v"));
    await cluster.time.advance(3 * LATENCY_MS);
    const stopped = n2.stop();
    await cluster.run(Promise.all([...writes, stopped]));
    await cluster.run(n2.start());
    await cluster.connected();
    for (let i = 0; i < 10; i++) {
      expect(valueOf(await cluster.run(n2.get(`${key}-${i}`)))).toBe("v");
    }
  });

  test("idle waits for operations in flight, whoever asks, and for none when there are none", async () => {
    const cluster = await VirtualCluster.open();
    const node = cluster.node(1);
    await cluster.run(node.idle());
    cluster.fate = () => [100];
    const write = node.put("k", "v");
    let idle = 0;
    for (const each of [node.idle(), node.idle()]) void each.then(() => (idle += 1));
    await cluster.time.advance(399);
    expect(idle).toBe(0);
    await cluster.run(write);
    expect(idle).toBe(2);
  });
});

describe("a loss of power", () => {
  test("N=3 R=W=2: a synced write that was acknowledged survives that of all nodes at once", async () => {
    for (let keep = 0; keep < 3; keep++) {
      const cluster = await VirtualCluster.open();
      const written = await cluster.run(cluster.node(1).put("k", "v"));
      for (const node of cluster.nodes) node.losePower((unsynced) => Math.min(keep, unsynced));
      for (const node of cluster.nodes) await cluster.run(node.start());
      await cluster.connected();
      const read = await cluster.run(cluster.node(3).get("k"));
      expect(read.version?.stamp).toBe(written.version.stamp);
    }
  });

  test("N=3 R=W=2: an async write may be lost by it, and costs no fsync", async () => {
    const cluster = await VirtualCluster.open();
    await cluster.run(cluster.node(1).put("takes the lease", "v"));
    await cluster.time.advance(20);
    const syncs = () => cluster.nodes.reduce((sum, { disk }) => sum + disk.calls.sync, 0);
    const before = syncs();
    await cluster.run(cluster.node(1).put("k", "v", { durability: "async" }));
    await cluster.time.advance(20);
    expect(cluster.stored("k")).toEqual(["v", "v", "v"]);
    expect(syncs()).toBe(before);
    for (const node of cluster.nodes) node.losePower();
    for (const node of cluster.nodes) await cluster.run(node.start());
    await cluster.connected();
    expect((await cluster.run(cluster.node(2).get("k"))).version).toBeUndefined();
  });

  test("a read that repaired left its value on disks", async () => {
    const cluster = await VirtualCluster.open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    cluster.cut([n3], [n1, n2]);
    await cluster.run(n1.put("k", "v", { durability: "async" }));
    cluster.heal([n3], [n1, n2]);
    await cluster.connected();
    const read = await cluster.run(n3.get("k"));
    expect(valueOf(read)).toBe("v");
    for (const node of cluster.nodes) node.losePower();
    for (const node of cluster.nodes) await cluster.run(node.start());
    await cluster.connected();
    const again = await cluster.run(n3.get("k"));
    expect(again.version?.stamp).toBe(read.version?.stamp);
  });
});

describe("a disk that fails", () => {
  test.each([true, false])(
    "a write meanwhile (applied: %s) is in doubt at that replica, and reaches W others",
    async (applied) => {
      const cluster = await VirtualCluster.open();
      const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
      n2.disk.fail("batch", { applied });
      await cluster.run(n1.put("k", "v"));
      await cluster.time.advance(100);
      expect(n2.storageErrors).toHaveLength(1);
      expect([n1.storageErrors, n3.storageErrors]).toEqual([[], []]);
      expect(n1.telemetry.count("replicaAnswers", "n2", "write", "storage-error")).toBe(1);
      expect(valueOf(await cluster.run(n3.get("k")))).toBe("v");
    },
  );

  test("with W out of reach by it the write is write-unknown, and may be there after a restart", async () => {
    const cluster = await VirtualCluster.open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    const key = cluster.keyOf(n1, n2, n3);
    for (const { disk } of [n2, n3]) disk.fail("batch", { applied: true });
    const error = await cluster.errorOf(n1.put(key, "v"));
    expect(error).toMatchObject({ code: "write-unknown", outcome: "unknown" });
    for (const node of [n2, n3]) {
      node.kill();
      await cluster.run(node.start());
    }
    await cluster.connected();
    expect(valueOf(await cluster.run(n3.get(key)))).toBe("v");
  });

  test("the node then takes no writes, and its next life is another actor although it closed", async () => {
    const cluster = await VirtualCluster.open();
    const [n1, n2] = [cluster.node(1), cluster.node(2)];
    const { actor } = n2;
    n2.disk.fail("batch");
    await cluster.run(n1.put("k", "v"));
    await cluster.time.advance(100);
    await cluster.run(n1.put("k", "v2"));
    await cluster.time.advance(100);
    expect(n1.telemetry.count("replicaAnswers", "n2", "write", "stopping")).toBe(1);
    await cluster.run(n2.stop());
    await cluster.run(n2.start());
    expect(n2.actor).not.toBe(actor);
    expect(n2.storageErrors).toHaveLength(1);
  });

  test("a coordinator whose lease cannot be written refuses with a KvError, and wrote nothing", async () => {
    const cluster = await VirtualCluster.open();
    const node = cluster.node(1);
    node.disk.fail("batch", { times: Number.POSITIVE_INFINITY });
    const first = await cluster.errorOf(node.put("k", "v"));
    const second = await cluster.errorOf(node.put("k", "v"));
    expect([first.outcome, second.outcome]).toEqual(["not-applied", "not-applied"]);
    expect(node.storageErrors).toHaveLength(1);
    await cluster.time.advance(1_000);
    expect(cluster.stored("k")).toEqual([undefined, undefined, undefined]);
  });
});
