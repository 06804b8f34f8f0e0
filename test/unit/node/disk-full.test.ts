import { describe, expect, test } from "vitest";
import { valueOf, VirtualCluster } from "../../support/virtual-cluster.ts";
import type { VirtualNode } from "../../support/virtual-node.ts";

const MiB = 1024 * 1024;
const OPTIONS = { diskFreeBytesMin: MiB, recordCacheBytes: 0 };

function fill({ disk }: VirtualNode, freeBytes: number): void {
  disk.capacityBytes -= disk.freeBytes - freeBytes;
}

/** As if what filled the disk had been removed. */
function empty({ disk }: VirtualNode): void {
  disk.capacityBytes += 100 * MiB;
}

describe("a disk that fills (N=3 R=2 W=2)", () => {
  test("one node: no client is told of it, and the node comes back by itself", async () => {
    const cluster = await VirtualCluster.open({ options: OPTIONS });
    const n2 = cluster.node(2);
    fill(n2, 100);
    for (let i = 0; i < 30; i++) {
      const node = cluster.node(1 + 2 * (i % 2));
      await cluster.run(node.put(`key-${i}`, `value ${i}`));
      expect(valueOf(await cluster.run(node.get(`key-${i}`)))).toBe(`value ${i}`);
    }
    expect(valueOf(await cluster.run(n2.get("key-0")))).toBe("value 0");
    expect(n2.readOnly).toBe(true);
    empty(n2);
    await cluster.time.advance(2_000);
    expect(n2.readOnly).toBe(false);
    expect(n2.storageErrors).toEqual([]);
    await cluster.run(n2.put("later", "v", { w: 3 }));
    expect(cluster.stored("later")).toEqual(["v", "v", "v"]);
  });

  test("what is acknowledged after two disks filled survives a loss of power of both", async () => {
    const cluster = await VirtualCluster.open({ options: OPTIONS });
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    for (const node of [n2, n3]) fill(node, 10);
    const error = await cluster.errorOf(n1.put("full", "v"));
    expect(error).toMatchObject({ code: "write-unknown", outcome: "unknown" });
    for (const node of [n2, n3]) empty(node);
    const early = await cluster.errorOf(n1.put("early", "v", { w: 3 }));
    expect(early).toMatchObject({ outcome: "unknown" });
    await cluster.time.advance(1_000);
    await cluster.run(n1.put("k", "v", { w: 3 }));
    for (const node of [n2, n3]) node.losePower();
    n1.kill();
    await cluster.run(Promise.all([n2.start(), n3.start()]));
    await cluster.time.runUntil(() => n2.sees(n3) && n3.sees(n2));
    expect(valueOf(await cluster.run(n2.get("k")))).toBe("v");
  });

  test("a write that was in doubt and is there after all is seen once the directory was opened anew", async () => {
    const cluster = await VirtualCluster.open({ options: { diskFreeBytesMin: MiB } });
    const [n1, n2] = [cluster.node(1), cluster.node(2)];
    await cluster.run(n1.put("k", "before", { w: 3 }));
    expect(valueOf(await cluster.run(n2.get("k", { r: 1 })))).toBe("before");
    n2.disk.fail("batch", { kind: "no-space", applied: true });
    await cluster.run(n1.put("k", "perhaps"));
    await cluster.time.advance(1_100);
    expect(valueOf(await cluster.run(n2.get("k", { r: 1 })))).toBe("perhaps");
  });

  test("all nodes, nearly: clients are refused before any disk is full, reads and repairs go on", async () => {
    const cluster = await VirtualCluster.open({ options: OPTIONS });
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    cluster.cut([n3], [n1, n2]);
    await cluster.run(n1.put("k", "v"));
    cluster.heal([n3], [n1, n2]);
    await cluster.connected();
    for (const node of cluster.nodes) fill(node, MiB - 1);
    await cluster.time.advance(1_100);
    expect(await cluster.errorOf(n1.put("x", "v"))).toMatchObject({
      code: "no-space",
      status: 507,
      outcome: "not-applied",
      retry: "after",
    });
    expect(cluster.nodes.map(({ readOnly }) => readOnly)).toEqual([true, true, true]);
    expect(valueOf(await cluster.run(n3.get("k")))).toBe("v");
    expect(cluster.stored("k")).toEqual(["v", "v", "v"]);
    expect(cluster.stored("x")).toEqual([undefined, undefined, undefined]);
  });

  test("a node that cannot store its clock's lease refuses for lack of space, and is back by itself", async () => {
    const cluster = await VirtualCluster.open({ options: OPTIONS });
    const n1 = cluster.node(1);
    fill(n1, 10);
    await cluster.errorOf(n1.put("notices", "v", { w: 3, timeoutMs: 100 }));
    await cluster.time.advance(500);
    const error = await cluster.errorOf(n1.put("k", "v"));
    expect(error).toMatchObject({ code: "no-space", status: 507, outcome: "not-applied" });
    empty(n1);
    await cluster.time.advance(2_000);
    await cluster.run(n1.put("k", "v", { w: 3 }));
  });

  test("a node that had to open its directory anew mints as somebody new", async () => {
    const cluster = await VirtualCluster.open({ options: OPTIONS });
    const n1 = cluster.node(1);
    await cluster.run(n1.put("before", "v"));
    n1.disk.fail("batch", { kind: "no-space" });
    await cluster.run(n1.put("meanwhile", "v"));
    await cluster.time.advance(1_100);
    await cluster.run(n1.put("after", "v"));
    const actorOf = (key: string): string | undefined => n1.record(key)?.version.actor;
    expect(actorOf("before")).toBe(n1.actor);
    expect(actorOf("after")?.slice(0, 16)).toBe(n1.actor.slice(0, 16));
    expect(Number.parseInt(actorOf("after")?.slice(16) ?? "", 16)).toBe(
      Number.parseInt(n1.actor.slice(16), 16) + 1,
    );
  });
});
