import { describe, expect, test } from "vitest";
import { LATENCY_MS, valueOf, VirtualCluster } from "../../support/virtual-cluster.ts";
import type { VirtualNode } from "../../support/virtual-node.ts";

function kinds(cluster: VirtualCluster): readonly string[] {
  return cluster.requests.map(({ to, kind }) => `${kind} ${to}`).toSorted();
}

/** n1 alone missed the latest write of the key. */
async function behind(): Promise<{ cluster: VirtualCluster; key: string; n1: VirtualNode }> {
  const cluster = await VirtualCluster.open();
  const key = cluster.keyOf(...cluster.nodes);
  await cluster.run(cluster.node(2).put(key, "old", { w: 3 }));
  const n1 = cluster.node(1);
  cluster.fate = ({ leg, to }) =>
    leg === "request" && cluster.requests.at(-1)?.kind === "write" && to === n1.id
      ? []
      : [LATENCY_MS];
  await cluster.run(cluster.node(2).put(key, "new"));
  cluster.fate = () => [LATENCY_MS];
  await cluster.time.advance(1_000);
  cluster.requests.length = 0;
  return { cluster, key, n1 };
}

describe("digest reads (N=3)", () => {
  test("of replicas that agree move one record, the coordinator's own", async () => {
    const cluster = await VirtualCluster.open();
    const key = cluster.keyOf(...cluster.nodes);
    await cluster.run(cluster.node(1).put(key, "v", { w: 3 }));
    cluster.requests.length = 0;
    expect(valueOf(await cluster.run(cluster.node(1).get(key, { r: 3 })))).toBe("v");
    expect(kinds(cluster)).toEqual(["digest n2", "digest n3"]);
  });

  test("through a node that holds no replica move one record over the wire", async () => {
    const cluster = await VirtualCluster.open({ nodes: 4 });
    const key = cluster.keyOf(cluster.node(1), cluster.node(2), cluster.node(3));
    await cluster.run(cluster.node(4).put(key, "v", { w: 3 }));
    cluster.requests.length = 0;
    expect(valueOf(await cluster.run(cluster.node(4).get(key)))).toBe("v");
    expect(kinds(cluster)).toEqual(["digest n2", "read n1"]);
  });

  test("of replicas that differ fetch the record of the one that differs and no other", async () => {
    const { cluster, key, n1 } = await behind();
    expect(valueOf(await cluster.run(n1.get(key)))).toBe("new");
    expect(kinds(cluster)).toEqual(["digest n2", "read n2", "repair n3"]);
    expect(valueOf({ version: n1.record(key)?.version })).toBe("new");
  });

  test("a replica that dies between digest and record is replaced by a spare", async () => {
    const { cluster, key, n1 } = await behind();
    const n2 = cluster.node(2);
    cluster.fate = ({ leg, to }) => {
      const fetch = leg === "request" && cluster.requests.at(-1)?.kind === "read";
      if (fetch && to === n2.id) n2.kill();
      return [LATENCY_MS];
    };
    expect(valueOf(await cluster.run(n1.get(key)))).toBe("new");
    expect(kinds(cluster)).toContain("read n3");
  });

  test("when the replica with the record fails its spare sends one, so digests never stand alone", async () => {
    const cluster = await VirtualCluster.open({ nodes: 4 });
    const [n1, n2, n3, n4] = [1, 2, 3, 4].map((i) => cluster.node(i));
    if (!n1 || !n2 || !n3 || !n4) throw new Error("four nodes");
    const key = cluster.keyOf(n1, n2, n3);
    await cluster.run(n4.put(key, "v", { w: 3 }));
    cluster.fate = ({ leg, to }) => [leg === "request" && to === n1.id ? 60_000 : LATENCY_MS];
    cluster.requests.length = 0;
    expect(valueOf(await cluster.run(n4.get(key)))).toBe("v");
    expect(kinds(cluster)).toEqual(["digest n2", "read n1", "read n3"]);
  });

  test("a tombstone and a value of one stamp have different digests, and the tombstone wins", async () => {
    const cluster = await VirtualCluster.open();
    const key = cluster.keyOf(...cluster.nodes);
    await cluster.run(cluster.node(1).put(key, "v", { w: 3 }));
    await cluster.time.advance(100);
    cluster.fate = ({ leg, to }) =>
      leg === "request" && cluster.requests.at(-1)?.kind === "write" && to === "n1"
        ? []
        : [LATENCY_MS];
    await cluster.run(cluster.node(2).delete(key));
    cluster.fate = () => [LATENCY_MS];
    const { version } = await cluster.run(cluster.node(1).get(key));
    expect(version).toMatchObject({ content: undefined });
  });
});

describe("reads of a bucket that repairs in the background (N=3 R=W=2)", () => {
  test("answer before the newest version is written back, and it is written back all the same", async () => {
    const cluster = await VirtualCluster.open({ bucket: { readRepair: "background" } });
    const key = cluster.keyOf(...cluster.nodes);
    const n1 = cluster.node(1);
    await cluster.run(cluster.node(2).put(key, "old", { w: 3 }));
    cluster.fate = ({ leg, to }) =>
      leg === "request" && cluster.requests.at(-1)?.kind === "write" && to === n1.id
        ? []
        : [LATENCY_MS];
    await cluster.run(cluster.node(2).put(key, "new"));
    await cluster.time.advance(1_000);
    // The write-back takes half a second at each replica.
    cluster.fate = ({ leg }) => [
      leg === "request" && cluster.requests.at(-1)?.kind === "repair" ? 500 : LATENCY_MS,
    ];
    n1.disk.pause = () => new Promise((resolve) => void cluster.time.after(500, () => resolve()));
    expect(valueOf(await cluster.run(n1.get(key)))).toBe("new");
    expect(valueOf({ version: n1.record(key)?.version })).toBe("old");
    await cluster.time.advance(3_000);
    expect(valueOf({ version: n1.record(key)?.version })).toBe("new");
  });

  test("keep at most backgroundRepairsMax of them under way, and leave the rest to later reads", async () => {
    const cluster = await VirtualCluster.open({
      bucket: { readRepair: "background" },
      options: { backgroundRepairsMax: 2 },
    });
    const n1 = cluster.node(1);
    const keys = Array.from({ length: 5 }, (_, i) => `key-${i}`);
    cluster.fate = ({ leg, to }) =>
      leg === "request" && cluster.requests.at(-1)?.kind === "write" && to === n1.id
        ? []
        : [LATENCY_MS];
    for (const key of keys) await cluster.run(cluster.node(2).put(key, "v"));
    cluster.fate = ({ leg }) => [
      leg === "request" && cluster.requests.at(-1)?.kind === "repair" ? 500 : LATENCY_MS,
    ];
    n1.disk.pause = (work) =>
      work === "batch"
        ? new Promise((resolve) => void cluster.time.after(500, () => resolve()))
        : Promise.resolve();
    const reads = await cluster.run(Promise.all(keys.map((key) => n1.get(key))));
    expect(reads.map(valueOf)).toEqual(keys.map(() => "v"));
    expect(n1.telemetry.count("refused", "backgroundRepairsMax")).toBe(3);
  });
});
