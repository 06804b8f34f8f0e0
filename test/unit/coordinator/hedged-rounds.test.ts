import { describe, expect, test } from "vitest";
import { LATENCY_MS, valueOf, VirtualCluster } from "../../support/virtual-cluster.ts";
import type { VirtualNode } from "../../support/virtual-node.ts";

const LONGEST_MS = 50;
const SHORTEST_MS = 5;
const BUDGET_MAX = 10;

/** n1 reads a key of which n2 is the second replica and n3 the spare; 100 answers were timed. */
async function timed(
  options = {},
): Promise<{ cluster: VirtualCluster; key: string; reader: VirtualNode }> {
  const cluster = await VirtualCluster.open({ options });
  const reader = cluster.node(1);
  const key = cluster.keyOf(reader, cluster.node(2), cluster.node(3));
  await cluster.run(reader.put(key, "value"));
  for (let i = 0; i < 100; i++) await cluster.run(reader.get(key));
  cluster.requests.length = 0;
  return { cluster, key, reader };
}

/** Silent for a moment only, so nobody becomes suspect. */
function holdsAnswersOf(cluster: VirtualCluster, node: string, forMs: number): void {
  cluster.fate = ({ from, leg }) => [from === node && leg === "answer" ? forMs : LATENCY_MS];
}

describe("a silent replica of a read", () => {
  test("is joined by a spare after the p99 of first answers, once 100 are known", async () => {
    const { cluster, key, reader } = await timed();
    holdsAnswersOf(cluster, "n2", 40);
    const begun = cluster.time.now();
    expect(valueOf(await cluster.run(reader.get(key)))).toBe("value");
    expect(cluster.requests.map(({ to, at }) => [to, at - begun])).toEqual([
      ["n2", 0],
      ["n3", SHORTEST_MS],
    ]);
    expect(cluster.time.now() - begun).toBe(SHORTEST_MS + 2 * LATENCY_MS);
    expect(reader.telemetry.count("hedges", "won")).toBe(1);
  });

  test("that answers before its spare: the spare was wasted, its late answer changes nothing", async () => {
    const { cluster, key, reader } = await timed();
    cluster.fate = ({ from, leg }) => {
      if (leg !== "answer") return [LATENCY_MS];
      return [from === "n2" ? 8 : from === "n3" ? 30 : LATENCY_MS];
    };
    const begun = cluster.time.now();
    expect((await cluster.run(reader.get(key))).quorum.acked).toBe(2);
    expect(cluster.time.now() - begun).toBe(9);
    await cluster.time.advance(100);
    expect(reader.telemetry.count("hedges", "wasted")).toBe(1);
    expect(reader.telemetry.count("hedges", "won")).toBe(0);
  });

  test("the delay follows first tries, not what hedging makes of them", async () => {
    const { cluster, key, reader } = await timed();
    holdsAnswersOf(cluster, "n2", 40);
    for (let i = 0; i < 3; i++) {
      await cluster.run(reader.get(key));
      await cluster.time.advance(41);
    }
    // 3 of 104 took 41 ms: by hedged results none took more than 7.
    holdsAnswersOf(cluster, "n2", LATENCY_MS);
    for (let i = 0; i < 28; i++) await cluster.run(reader.get(key));
    holdsAnswersOf(cluster, "n2", 200);
    cluster.requests.length = 0;
    const begun = cluster.time.now();
    await cluster.run(reader.get(key));
    expect(cluster.requests.map(({ to, at }) => [to, at - begun])).toEqual([
      ["n2", 0],
      ["n3", 41],
    ]);
  });

  test("costs no more spares than the budget: 10 at once, and 1 for every 20 rounds", async () => {
    const { cluster, key, reader } = await timed();
    holdsAnswersOf(cluster, "n2", 20);
    const reads = 60;
    for (let i = 0; i < reads; i++) await cluster.run(reader.get(key));
    const spares = cluster.requests.filter(({ to }) => to === "n3").length;
    expect(spares).toBeLessThanOrEqual(BUDGET_MAX + reads / 20);
    expect(spares).toBeGreaterThan(BUDGET_MAX + reads / 20 - 2);
    expect(reader.telemetry.count("hedges", "over-budget")).toBe(reads - spares);
    expect(reader.telemetry.count("spareRequests", "read")).toBe(spares);
  });

  test("is replaced beyond the budget once it is suspect, within 50 ms of that", async () => {
    const { cluster, key, reader } = await timed();
    holdsAnswersOf(cluster, "n2", 20);
    for (let i = 0; i < 12; i++) await cluster.run(reader.get(key));
    cluster.silence([cluster.node(2)]);
    const reads = Array.from({ length: 30 }, () => reader.get(key));
    const begun = cluster.time.now();
    await cluster.run(Promise.all(reads));
    expect(reader.telemetry.count("suspicions", "n2")).toBe(1);
    const suspectAt = cluster.time.now() - begun;
    expect(suspectAt).toBeLessThan(300 + 50 + LONGEST_MS + 2 * LATENCY_MS);
  });

  test("is replaced beyond the budget at once when it fails", async () => {
    const { cluster, key, reader } = await timed();
    holdsAnswersOf(cluster, "n2", 20);
    for (let i = 0; i < 12; i++) await cluster.run(reader.get(key));
    cluster.cut([reader], [cluster.node(2)]);
    const begun = cluster.time.now();
    await cluster.run(reader.get(key));
    expect(cluster.time.now() - begun).toBe(2 * LATENCY_MS);
  });
});

describe("a learn round with silent replicas (N=5)", () => {
  test("asks one spare for each, not all of them", async () => {
    const cluster = await VirtualCluster.open({ nodes: 5, bucket: { n: 5, r: 3, w: 3 } });
    const [n1, n2, n3, n4, n5] = cluster.nodes;
    if (!n1 || !n2 || !n3 || !n4 || !n5) throw new Error("five nodes");
    const key = cluster.keyOf(n1, n2, n3, n4, n5);
    cluster.silence([n2]);
    await cluster.run(n1.put(key, "v"));
    const learned = cluster.requests.filter(({ kind }) => kind === "learn").map(({ to }) => to);
    expect(learned).toEqual(["n2", "n3", "n4"]);
    expect(n1.telemetry.count("hedges", "won")).toBe(1);
  });

  test("a spare that fails is followed by the next one", async () => {
    const cluster = await VirtualCluster.open({ nodes: 5, bucket: { n: 5, r: 3, w: 3 } });
    const [n1, n2, n3, n4, n5] = cluster.nodes;
    if (!n1 || !n2 || !n3 || !n4 || !n5) throw new Error("five nodes");
    const key = cluster.keyOf(n1, n2, n3, n4, n5);
    cluster.silence([n2]);
    n4.disk.fail("getMany");
    const begun = cluster.time.now();
    await cluster.run(n1.put(key, "v"));
    const learned = cluster.requests.filter(({ kind }) => kind === "learn");
    expect(learned.map(({ to, at }) => [to, at - begun])).toEqual([
      ["n2", 0],
      ["n3", 0],
      ["n4", LONGEST_MS],
      ["n5", 2 * LONGEST_MS],
    ]);
  });
});
