import { describe, expect, test } from "vitest";
import { msOfStamp } from "../../../src/core/hlc.ts";
import { valueOf, VirtualCluster } from "../../support/virtual-cluster.ts";

describe("a version with a time to live (N=3 R=W=2)", () => {
  test("is there until its expiry and absent from then on, through every node", async () => {
    const cluster = await VirtualCluster.open();
    const { version } = await cluster.run(cluster.node(1).put("k", "v", { ttlSeconds: 60 }));
    for (const node of cluster.nodes) {
      const read = await cluster.run(node.get("k"));
      expect([valueOf(read), read.expired]).toEqual(["v", false]);
      expect(read.version?.expiresAt).toBe(msOfStamp(version.stamp) + 60_000);
    }
    await cluster.time.advance(59_000);
    expect((await cluster.run(cluster.node(2).get("k"))).expired).toBe(false);
    await cluster.time.advance(1_000);
    for (const node of cluster.nodes) expect((await cluster.run(node.get("k"))).expired).toBe(true);
  });

  test("keeps its bytes when it expires: nothing is written, replicas stay equal", async () => {
    const cluster = await VirtualCluster.open();
    await cluster.run(cluster.node(1).put("k", "v", { ttlSeconds: 1, w: 3 }));
    const before = cluster.nodes.map((node) => node.record("k")?.bytes);
    await cluster.time.advance(5_000);
    cluster.requests.length = 0;
    for (const node of cluster.nodes) await cluster.run(node.get("k", { r: 3 }));
    expect(cluster.requests.filter(({ kind }) => kind === "repair")).toEqual([]);
    expect(cluster.nodes.map((node) => node.record("k")?.bytes)).toEqual(before);
  });

  test("of the bucket holds for writes that name none; a write may name its own; a delete has none", async () => {
    const cluster = await VirtualCluster.open({ bucket: { ttlSeconds: 10 } });
    await cluster.run(cluster.node(1).put("bucket's", "v"));
    await cluster.run(cluster.node(1).put("own", "v", { ttlSeconds: 100 }));
    await cluster.run(cluster.node(1).delete("deleted"));
    await cluster.time.advance(20_000);
    const expired = async (key: string): Promise<boolean> =>
      (await cluster.run(cluster.node(2).get(key))).expired;
    expect([await expired("bucket's"), await expired("own")]).toEqual([true, false]);
    const { version } = await cluster.run(cluster.node(2).get("deleted"));
    expect(version?.expiresAt).toBeUndefined();
  });

  test("can be overwritten after it expired, and the new version stays", async () => {
    const cluster = await VirtualCluster.open();
    await cluster.run(cluster.node(1).put("k", "old", { ttlSeconds: 1 }));
    await cluster.time.advance(5_000);
    await cluster.run(cluster.node(2).put("k", "new"));
    const read = await cluster.run(cluster.node(3).get("k"));
    expect([valueOf(read), read.expired]).toEqual(["new", false]);
  });

  // The coordinator's clock is 400 ms late; both others are right.
  test("is judged by the greatest clock of coordinator and answering replicas, not by the coordinator's alone", async () => {
    const cluster = await VirtualCluster.open({ wallOffsetsMs: [-400, 0, 0] });
    const key = cluster.keyOf(...cluster.nodes);
    await cluster.run(cluster.node(2).put(key, "v", { ttlSeconds: 1 }));
    await cluster.time.advance(1_100);
    for (const node of cluster.nodes) expect((await cluster.run(node.get(key))).expired).toBe(true);
  });
});
