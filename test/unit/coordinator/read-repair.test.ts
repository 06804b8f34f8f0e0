import { describe, expect, test } from "vitest";
import { failureOf, LATENCY_MS, valueOf, VirtualCluster } from "../../support/virtual-cluster.ts";
import type { VirtualClusterOptions } from "../../support/virtual-cluster.ts";
import type { VirtualNode } from "../../support/virtual-node.ts";

const TIMEOUT_MS = 400;

/** A cluster in which "new" replaced "old" only at the replicas given; the others missed it. */
async function diverged(
  opts: VirtualClusterOptions & { readonly holders: readonly number[]; readonly n: number },
): Promise<{ cluster: VirtualCluster; key: string }> {
  const cluster = await VirtualCluster.open({ nodes: opts.n, ...opts });
  const key = cluster.keyOf(...cluster.nodes);
  await cluster.run(cluster.node(1).put(key, "old", { w: "all" }));
  const missing = new Set(
    cluster.nodes.filter((_, i) => !opts.holders.includes(i + 1)).map(({ id }) => id),
  );
  cluster.fate = ({ leg, to }) => {
    const write = leg === "request" && cluster.requests.at(-1)?.kind === "write";
    return write && missing.has(to) ? [] : [LATENCY_MS];
  };
  await cluster.run(cluster.node(1).put(key, "new", { w: opts.holders.length }));
  cluster.fate = () => [LATENCY_MS];
  expect(holders(cluster, key)).toEqual(opts.holders.map((i) => `n${i}`));
  cluster.requests.length = 0;
  return { cluster, key };
}

function holders(cluster: VirtualCluster, key: string): readonly string[] {
  return cluster.nodes.filter((_, i) => cluster.stored(key)[i] === "new").map(({ id }) => id);
}

function batches(cluster: VirtualCluster): number {
  return cluster.nodes.reduce((sum, { disk }) => sum + disk.calls.batch, 0);
}

function repairs({ telemetry }: VirtualNode, result: string): number {
  return telemetry.count("readRepairs", result);
}

describe("replicas that agree (N=3 R=W=2)", () => {
  test.each(["a value", "a tombstone", "nothing"])("%s: a read writes nothing", async (what) => {
    const cluster = await VirtualCluster.open();
    if (what === "a value") await cluster.run(cluster.node(1).put("k", "v"));
    if (what === "a tombstone") await cluster.run(cluster.node(1).delete("k"));
    await cluster.time.advance(100);
    const before = batches(cluster);
    cluster.requests.length = 0;
    for (const node of cluster.nodes) {
      for (const r of ["one", "quorum", "all"] as const) await cluster.run(node.get("k", { r }));
    }
    await cluster.time.advance(1_000);
    expect(batches(cluster)).toBe(before);
    const kinds = new Set(cluster.requests.map(({ kind }) => kind));
    expect([...kinds].filter((kind) => kind !== "digest" && kind !== "read")).toEqual([]);
    expect(kinds).toContain("digest");
  });
});

describe("replicas that differ", () => {
  test("N=3 R=W=2: the newest version is written back before it is returned", async () => {
    const { cluster, key } = await diverged({ n: 3, holders: [1, 2] });
    const [n2, n3] = [cluster.node(2), cluster.node(3)];
    // Only the coordinator's own commit can bring the second holder in time.
    cluster.fate = ({ leg, to }) => {
      const toHolder = leg === "request" && to === n2.id;
      return [toHolder && cluster.requests.at(-1)?.kind === "repair" ? 300 : LATENCY_MS];
    };
    const read = await cluster.run(n3.get(key));
    expect(valueOf(read)).toBe("new");
    expect(n3.record(key)?.version.stamp).toBe(read.version?.stamp);
    expect(repairs(n3, "met")).toBe(1);
    expect(n3.telemetry.count("staleReplies", "n3")).toBe(1);
    n3.losePower();
    expect(await cluster.run(n3.start().then(() => n3.record(key)?.version.stamp))).toBe(
      read.version?.stamp,
    );
  });

  test("N=3 R=W=2: afterwards all replicas hold the same bytes", async () => {
    const { cluster, key } = await diverged({ n: 3, holders: [1, 2] });
    await cluster.run(cluster.node(3).get(key));
    await cluster.time.advance(100);
    const [one, two, three] = cluster.nodes.map((node) => node.record(key)?.bytes);
    expect(two).toEqual(one);
    expect(three).toEqual(one);
  });

  test("N=3 R=W=2: a tombstone is written back like a value", async () => {
    const cluster = await VirtualCluster.open();
    const key = cluster.keyOf(...cluster.nodes);
    await cluster.run(cluster.node(1).put(key, "v"));
    await cluster.time.advance(100);
    cluster.fate = ({ leg, to }) => {
      const write = leg === "request" && cluster.requests.at(-1)?.kind === "write";
      return write && to === cluster.node(3).id ? [] : [LATENCY_MS];
    };
    await cluster.run(cluster.node(1).delete(key));
    cluster.fate = () => [LATENCY_MS];
    expect(cluster.stored(key)).toEqual([undefined, undefined, "v"]);
    const { version } = await cluster.run(cluster.node(3).get(key));
    expect(version).toMatchObject({ content: undefined });
    await cluster.time.advance(100);
    expect(cluster.stored(key)).toEqual([undefined, undefined, undefined]);
    expect(cluster.node(3).record(key)).toBeDefined();
  });

  test("N=3 R=W=2: a write that only one replica took is finished by the read that sees it", async () => {
    const { cluster, key } = await diverged({ n: 3, holders: [1], bucket: { w: 1 } });
    expect(valueOf(await cluster.run(cluster.node(1).get(key)))).toBe("new");
    expect(holders(cluster, key).length).toBeGreaterThanOrEqual(2);
    cluster.cut([cluster.node(1)], [cluster.node(2), cluster.node(3)]);
    expect(valueOf(await cluster.run(cluster.node(2).get(key)))).toBe("new");
  });

  test.each([
    { n: 5, r: 2, w: 2, needed: 4 },
    { n: 5, r: 3, w: 3, needed: 3 },
    { n: 5, r: 2, w: 4, needed: 4 },
    { n: 5, r: 4, w: 2, needed: 4 },
    { n: 5, r: 5, w: 1, needed: 5 },
    { n: 3, r: 2, w: 3, needed: 3 },
    { n: 3, r: 3, w: 1, needed: 3 },
  ])("N=$n R=$r W=$w: $needed replicas hold what a read returns", async (given) => {
    const { n, r, w, needed } = given;
    const { cluster, key } = await diverged({ n, holders: [1], bucket: { n, r, w } });
    const reader = cluster.node(2);
    // Each write-back takes longer than the one before, so that every one that counts is waited for.
    let delayMs = 0;
    cluster.fate = ({ leg }) => {
      if (leg !== "request" || cluster.requests.at(-1)?.kind !== "repair") return [LATENCY_MS];
      delayMs += 10;
      return [delayMs];
    };
    expect(valueOf(await cluster.run(reader.get(key)))).toBe("new");
    expect(holders(cluster, key)).toHaveLength(needed);
    await cluster.time.advance(200);
    expect(holders(cluster, key)).toHaveLength(n);
  });

  test("a replica that holds something newer still counts as holding it", async () => {
    const { cluster, key } = await diverged({ n: 3, holders: [1], bucket: { w: 1 } });
    const [n1, n2] = [cluster.node(1), cluster.node(2)];
    const read = n1.get(key);
    // While the write-back is under way a newer version arrives.
    cluster.fate = ({ leg }) => [leg === "answer" ? 30 : LATENCY_MS];
    const write = n2.put(key, "newer", { w: 1 });
    const [{ version }] = await cluster.run(Promise.all([read, write]));
    expect(version).toBeDefined();
    await cluster.time.advance(500);
    expect(cluster.stored(key)).toEqual(["newer", "newer", "newer"]);
  });
});

describe("a newest version that cannot be confirmed", () => {
  const bucket = { n: 5, r: 2, w: 2 };

  test("N=5 R=W=2, two of four holders out of reach: 503 read-unconfirmed, no value", async () => {
    const { cluster, key } = await diverged({ n: 5, holders: [1], bucket });
    const [n1, n2, n3, n4, n5] = cluster.nodes;
    if (!n1 || !n2 || !n3 || !n4 || !n5) throw new Error("five nodes were asked for");
    cluster.cut([n4, n5], [n1, n2, n3]);
    const begun = cluster.time.now();
    const error = await cluster.errorOf(n2.get(key));
    expect(error).toMatchObject({ code: "read-unconfirmed", status: 503, retry: "after" });
    expect(error.data).toMatchObject({ needed: 4 });
    expect(cluster.time.now() - begun).toBeLessThan(50);
    expect(repairs(n2, "unreachable")).toBe(1);
    cluster.heal([n4, n5], [n1, n2, n3]);
    await cluster.connected();
    expect(valueOf(await cluster.run(n2.get(key)))).toBe("new");
  });

  test("the same in silence: 504 at the deadline", async () => {
    const { cluster, key } = await diverged({ n: 5, holders: [1], bucket });
    const reader = cluster.node(2);
    cluster.silence([cluster.node(4), cluster.node(5)]);
    const begun = cluster.time.now();
    const error = await cluster.errorOf(reader.get(key, { timeoutMs: TIMEOUT_MS }));
    expect(error).toMatchObject({ code: "read-unconfirmed", status: 504 });
    expect(error.data).toMatchObject({ needed: 4, acked: 3, atDeadline: true });
    expect(cluster.time.now() - begun).toBe(TIMEOUT_MS);
    expect(repairs(reader, "deadline")).toBe(1);
  });

  test("a value that was withheld may be returned later, one that was returned never goes away", async () => {
    const { cluster, key } = await diverged({ n: 5, holders: [1], bucket });
    const far = [cluster.node(4), cluster.node(5)];
    const near = [cluster.node(1), cluster.node(2), cluster.node(3)];
    cluster.cut(far, near);
    const withheld = await cluster.run(failureOf(cluster.node(2).get(key)));
    expect(withheld.code).toBe("read-unconfirmed");
    cluster.heal(far, near);
    await cluster.connected();
    expect(valueOf(await cluster.run(cluster.node(1).get(key)))).toBe("new");
    for (const reader of cluster.nodes) {
      expect(valueOf(await cluster.run(reader.get(key)))).toBe("new");
    }
  });
});
