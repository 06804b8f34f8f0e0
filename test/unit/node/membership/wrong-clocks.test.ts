import { describe, expect, test } from "vitest";
import { failureOf, valueOf, VirtualCluster, writeIdOf } from "../../../support/virtual-cluster.ts";
import type { VirtualClusterOptions } from "../../../support/virtual-cluster.ts";

const LIMIT_MS = 500;
const HEARTBEATS_MS = 1_000;

/** A cluster whose clock guard is on, with its clocks measured. */
async function measured(opts: VirtualClusterOptions): Promise<VirtualCluster> {
  const options = { clockOffsetMaxMs: LIMIT_MS, ...opts.options };
  const cluster = await VirtualCluster.open({ ...opts, options });
  await cluster.time.advance(HEARTBEATS_MS);
  cluster.requests.length = 0;
  return cluster;
}

describe("a clock that is off from a majority (N=3 R=W=2)", () => {
  test.each([600, -600, 60_000, -3_600_000])(
    "by %i ms: its node coordinates nothing and sends nothing; the others go on, with its replica",
    async (offMs) => {
      const cluster = await measured({ wallOffsetsMs: [offMs, 0, 0] });
      const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
      for (const begin of [() => n1.get("k"), () => n1.put("k", "v"), () => n1.delete("k")]) {
        const error = await failureOf(begin());
        expect(error).toMatchObject({ code: "clock-unsafe", status: 503, outcome: "not-applied" });
        expect(error.retry).toBe("after");
        expect(error.data.retryAfterMs).toBeGreaterThan(0);
        expect(error.message).toContain(`n2 is ${Math.abs(offMs)} ms`);
      }
      expect(cluster.requests).toEqual([]);
      expect(n1.telemetry.count("requests", "read", "lww", "clock-unsafe")).toBe(1);
      await cluster.run(n2.put("k", "v", { w: 3 }));
      expect(valueOf(await cluster.run(n3.get("k", { r: 3 })))).toBe("v");
      expect(cluster.stored("k")).toEqual(["v", "v", "v"]);
    },
  );

  test("a second attempt of a write is refused as unknown: the first may live", async () => {
    const cluster = await measured({ wallOffsetsMs: [60_000, 0, 0] });
    const writeId = writeIdOf("w-1");
    const error = await cluster.errorOf(cluster.node(1).put("k", "v", { attempt: 2, writeId }));
    expect(error).toMatchObject({ code: "clock-unsafe", outcome: "unknown" });
  });

  test("by less than the limit: it coordinates", async () => {
    const cluster = await measured({ wallOffsetsMs: [490, 0, 0] });
    await cluster.run(cluster.node(1).put("k", "v"));
    expect(cluster.node(1).clockProblem).toBeUndefined();
  });

  test("that jumps while it runs: the very next operation is refused, and the first after it is right", async () => {
    const cluster = await measured({});
    const node = cluster.node(1);
    node.clock.wallOffsetMs = 60_000;
    expect((await cluster.errorOf(node.get("k"))).code).toBe("clock-unsafe");
    node.clock.wallOffsetMs = 0;
    await cluster.run(node.put("k", "v"));
    const lines = node.telemetry.lines.filter(({ message }) => message.includes("clock is"));
    expect(lines.map(({ level }) => level)).toEqual(["error", "info"]);
  });

  test("is told with every member's offset and state, and by a gauge", async () => {
    const cluster = await measured({ wallOffsetsMs: [0, 0, 2_000] });
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    expect(n1.clockProblem).toBeUndefined();
    expect(n3.clockProblem).toMatch(
      /differ from this node's by more than 500 ms: n1 is 2000 ms behind, n2 is 2000 ms behind$/,
    );
    expect(n1.member(n3)).toEqual({
      state: { kind: "connected" },
      clockOffset: { offsetMs: 2_000, errorMs: 2 },
    });
    expect(n3.member(n2).clockOffset).toEqual({ offsetMs: -2_000, errorMs: 2 });
    expect(n1.member(n1)).toEqual({ state: { kind: "self" }, clockOffset: undefined });
    expect(n3.telemetry.gauge("clockUnsafe")).toBe(1);
    expect(n1.telemetry.gauge("clockOffset", "n3")).toBe(2);
  });

  test("is nobody's problem before it was measured, or when nobody is there to measure by", async () => {
    const cluster = await VirtualCluster.open({
      options: { clockOffsetMaxMs: LIMIT_MS },
      wallOffsetsMs: [60_000, 0, 0],
    });
    const node = cluster.node(1);
    cluster.cut([node], [cluster.node(2), cluster.node(3)]);
    node.kill();
    await cluster.run(node.start());
    await cluster.time.advance(HEARTBEATS_MS);
    await cluster.run(node.put("k", "v", { w: 1 }));
    expect(node.clockProblem).toBeUndefined();
  });

  test("of two nodes neither has a majority against it", async () => {
    const cluster = await measured({ nodes: 2, wallOffsetsMs: [60_000, 0] });
    await cluster.run(cluster.node(1).put("k", "of the one that is ahead"));
    await cluster.run(cluster.node(2).put("k", "later"));
    expect(valueOf(await cluster.run(cluster.node(1).get("k")))).toBe("later");
    expect(cluster.nodes.map(({ clockProblem }) => clockProblem)).toEqual([undefined, undefined]);
  });

  test("between two that are off to both sides the one in the middle refuses as well", async () => {
    const cluster = await measured({ wallOffsetsMs: [60_000, 0, -60_000] });
    for (const node of cluster.nodes) {
      expect((await cluster.errorOf(node.get("k"))).code).toBe("clock-unsafe");
    }
  });

  test("stamps of a node whose clock went wrong are noted by the replicas that take them", async () => {
    const cluster = await measured({ nodes: 2, wallOffsetsMs: [60_000, 0] });
    await cluster.run(cluster.node(1).put("k", "v"));
    expect(cluster.node(2).telemetry.count("stampsAhead")).toBe(1);
    expect(cluster.node(1).telemetry.count("stampsAhead")).toBe(0);
  });
});
