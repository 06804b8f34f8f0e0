import { describe, expect, test } from "vitest";
import { DEFAULT_BUCKET } from "../../../src/core/bucket.ts";
import { parseBucketName } from "../../../src/core/ids.ts";
import { sleep } from "../../../src/ports/clock.ts";
import { failureOf, LATENCY_MS, valueOf, VirtualCluster } from "../../support/virtual-cluster.ts";

const TIMEOUT_MS = 300;

describe("the deadline", () => {
  test.each([1, 37, 300, 30_000])(
    "of %i ms: silence ends the operation at that instant, never later",
    async (timeoutMs) => {
      const cluster = await VirtualCluster.open();
      cluster.silence([cluster.node(2), cluster.node(3)]);
      const begun = cluster.time.now();
      const ends: number[] = [];
      const operations = [
        cluster.node(1).get("k", { timeoutMs }),
        cluster.node(1).put("k", "v", { timeoutMs }),
        cluster.node(1).delete("k", { timeoutMs }),
      ].map((operation) =>
        failureOf(operation).finally(() => ends.push(cluster.time.now() - begun)),
      );
      await cluster.run(Promise.all(operations));
      expect(Math.max(...ends)).toBeLessThanOrEqual(timeoutMs);
    },
  );

  test("a request that names none has the node's", async () => {
    const cluster = await VirtualCluster.open({ options: { requestTimeoutMs: 700 } });
    cluster.silence([cluster.node(2), cluster.node(3)]);
    const begun = cluster.time.now();
    await cluster.errorOf(cluster.node(1).get("k"));
    expect(cluster.time.now() - begun).toBe(700);
  });

  test("answers that come after it change nothing, and nothing fails over them", async () => {
    const cluster = await VirtualCluster.open();
    cluster.fate = ({ leg }) => [leg === "answer" ? 2 * TIMEOUT_MS : LATENCY_MS];
    const timeoutMs = TIMEOUT_MS;
    const read = failureOf(cluster.node(1).get("k", { timeoutMs }));
    const write = failureOf(cluster.node(1).put("k", "v", { timeoutMs }));
    const [readError, writeError] = await cluster.run(Promise.all([read, write]));
    expect(readError.code).toBe("read-timeout");
    expect(writeError.code).toBe("write-unavailable");
    await cluster.time.advance(5_000);
    expect(cluster.stored("k")).toEqual([undefined, undefined, undefined]);
  });

  test("what is left of it travels with each request, less for a spare and for a later round", async () => {
    const cluster = await VirtualCluster.open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    const key = cluster.keyOf(n1, n2, n3);
    await cluster.run(n1.put("takes the lease", "v"));
    await cluster.time.advance(100);
    cluster.silence([n2]);
    cluster.requests.length = 0;
    const begun = cluster.time.now();
    await cluster.run(n1.put(key, "v", { timeoutMs: TIMEOUT_MS }));
    expect(cluster.requests.map(({ kind, to, at }) => [kind, to, at - begun])).toEqual([
      ["learn", "n2", 0],
      ["learn", "n3", 50],
      ["write", "n2", 52],
      ["write", "n3", 52],
    ]);
    for (const { at, remainingMs } of cluster.requests) {
      expect(remainingMs).toBe(TIMEOUT_MS - (at - begun));
    }
  });

  test("a replica refuses a write that it comes to when nobody waits any more", async () => {
    const cluster = await VirtualCluster.open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    const [first, second] = [cluster.keyOf(n1, n2, n3), cluster.keyOf(n1, n3, n2)];
    await cluster.run(n1.put("takes the lease", "v"));
    await cluster.time.advance(100);
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    n2.disk.pause = (work) => (work === "batch" ? held : Promise.resolve());
    await cluster.run(n1.put(first, "v", { timeoutMs: TIMEOUT_MS }));
    await cluster.run(n1.put(second, "v", { timeoutMs: TIMEOUT_MS }));
    await cluster.time.advance(2 * TIMEOUT_MS);
    release();
    await cluster.time.advance(100);
    // The first was at the disk already; the second still waited in the queue.
    expect(n2.record(first)).toBeDefined();
    expect(n2.record(second)).toBeUndefined();
  });

  test.each([5, 150, 250, 600])(
    "an fsync of %i ms on every disk: a write is acknowledged all the same",
    async (fsyncMs) => {
      const cluster = await VirtualCluster.open();
      for (const { clock, disk } of cluster.nodes) {
        disk.pause = (work) => (work === "sync" ? sleep(clock, fsyncMs) : Promise.resolve());
      }
      const begun = cluster.time.now();
      await cluster.run(cluster.node(1).put("k", "v", { timeoutMs: 5_000 }));
      // One fsync for the lease, one for the record, and at most one that either had to wait for.
      expect(cluster.time.now() - begun).toBeLessThanOrEqual(3 * fsyncMs + 50);
    },
  );

  test("a stamp that has to wait for the coordinator's disk does not outlive it; nothing was sent", async () => {
    const cluster = await VirtualCluster.open({ nodes: 4 });
    const outsider = cluster.node(4);
    const key = cluster.keyOf(cluster.node(1), cluster.node(2), cluster.node(3));
    outsider.disk.pause = () => new Promise((resolve) => cluster.time.after(10_000, resolve));
    const begun = cluster.time.now();
    const error = await cluster.errorOf(outsider.put(key, "v", { timeoutMs: TIMEOUT_MS }));
    expect(cluster.time.now() - begun).toBe(TIMEOUT_MS);
    expect(error).toMatchObject({ code: "write-unavailable", outcome: "not-applied" });
    await cluster.time.advance(60_000);
    expect(cluster.requests.map(({ kind }) => kind)).toEqual(["learn", "learn"]);
    expect(cluster.stored(key)).toEqual([undefined, undefined, undefined, undefined]);
  });

  test("a read whose spares would come after the deadline still ends at the deadline", async () => {
    const cluster = await VirtualCluster.open({ options: { spareDelayMs: 1_000 } });
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    const key = cluster.keyOf(n1, n2, n3);
    cluster.silence([n2]);
    const error = await cluster.errorOf(n1.get(key, { timeoutMs: TIMEOUT_MS }));
    expect(error.code).toBe("read-timeout");
    cluster.requests.length = 0;
    await cluster.time.advance(5_000);
    expect(cluster.requests).toEqual([]);
  });
});

describe("operationsMax", () => {
  test("of 2: the third operation is refused before any message is sent, and counted", async () => {
    const cluster = await VirtualCluster.open({ options: { operationsMax: 2 } });
    const node = cluster.node(1);
    cluster.fate = () => [100];
    const running = [node.get("a"), node.put("b", "v")];
    const sent = cluster.requests.length;
    for (const third of [node.get("c"), node.put("c", "v"), node.delete("c")]) {
      const error = await failureOf(third);
      expect(error).toMatchObject({ code: "overloaded", status: 429, outcome: "not-applied" });
      expect(error.data.retryAfterMs).toBeGreaterThan(0);
    }
    const again = await failureOf(node.put("c", "v", { attempt: 2 }));
    expect(again).toMatchObject({ code: "overloaded", status: 429, outcome: "unknown" });
    expect(cluster.requests.length).toBe(sent);
    expect(node.telemetry.count("refused", "operationsMax")).toBe(4);
    expect(node.telemetry.count("requests", "write", "lww", "overloaded")).toBe(2);
    await cluster.run(Promise.all(running));
    expect((await cluster.run(node.get("b"))).version).toBeDefined();
    expect(node.telemetry.gauge("inflightRequests")).toBe(0);
  });

  test("an operation that fails makes room as well", async () => {
    const cluster = await VirtualCluster.open({ options: { operationsMax: 1 } });
    const node = cluster.node(1);
    cluster.cut([node], [cluster.node(2), cluster.node(3)]);
    for (let i = 0; i < 3; i++) {
      expect((await cluster.errorOf(node.get("k"))).code).toBe("read-unavailable");
      expect((await cluster.errorOf(node.put("k", "v"))).code).toBe("write-unavailable");
    }
    expect(node.telemetry.count("refused", "operationsMax")).toBe(0);
  });
});

describe("requests that cannot be met are refused before any message is sent", () => {
  const bad = [0, -1, 4, 1.5, Number.NaN, Number.POSITIVE_INFINITY];

  test.each(bad)("r=%f of N=3", async (r) => {
    const cluster = await VirtualCluster.open();
    const error = await cluster.errorOf(cluster.node(1).get("k", { r }));
    expect(error).toMatchObject({ code: "parameter-invalid", status: 400 });
    expect(error.message).toMatch(/^r must be 1 to 3/);
    expect(cluster.requests).toEqual([]);
  });

  test.each(bad)("w=%f of N=3", async (w) => {
    const cluster = await VirtualCluster.open();
    const error = await cluster.errorOf(cluster.node(1).put("k", "v", { w }));
    expect(error).toMatchObject({ code: "parameter-invalid", outcome: "not-applied" });
    expect(error.message).toMatch(/^w must be 1 to 3/);
    expect(cluster.requests).toEqual([]);
    expect(cluster.stored("k")).toEqual([undefined, undefined, undefined]);
  });

  test("a timeout over requestTimeoutMaxMs, one of exactly that is taken", async () => {
    const cluster = await VirtualCluster.open({ options: { requestTimeoutMaxMs: 500 } });
    const node = cluster.node(1);
    const error = await cluster.errorOf(node.get("k", { timeoutMs: 501 }));
    expect(error).toMatchObject({ code: "parameter-invalid" });
    expect(error.message).toContain("500 ms");
    expect((await cluster.errorOf(node.put("k", "v", { timeoutMs: 501 }))).code).toBe(
      "parameter-invalid",
    );
    expect(cluster.requests).toEqual([]);
    await cluster.run(node.put("k", "v", { timeoutMs: 500 }));
    expect(valueOf(await cluster.run(node.get("k", { timeoutMs: 500 })))).toBe("v");
  });

  test("a bucket that does not exist", async () => {
    const cluster = await VirtualCluster.open();
    const bucket = parseBucketName("nowhere");
    expect(await cluster.errorOf(cluster.node(1).get("k", { bucket }))).toMatchObject({
      code: "bucket-not-found",
      status: 404,
    });
    expect((await cluster.errorOf(cluster.node(1).put("k", "v", { bucket }))).code).toBe(
      "bucket-not-found",
    );
    expect(cluster.requests).toEqual([]);
  });

  test("a value over the bucket's valueBytesMax, one of exactly that is stored", async () => {
    const cluster = await VirtualCluster.open({ bucket: { valueBytesMax: 100 } });
    const node = cluster.node(1);
    const error = await cluster.errorOf(node.put("k", "x".repeat(101)));
    expect(error).toMatchObject({ code: "value-too-large", status: 413, outcome: "not-applied" });
    expect(cluster.requests).toEqual([]);
    await cluster.run(node.put("k", "x".repeat(100)));
    expect(valueOf(await cluster.run(node.get("k")))).toBe("x".repeat(100));
  });

  test("what was refused so is not counted as in flight", async () => {
    const cluster = await VirtualCluster.open({ options: { operationsMax: 1 } });
    const node = cluster.node(1);
    for (let i = 0; i < 3; i++) {
      await cluster.errorOf(node.get("k", { r: 9 }));
      await cluster.errorOf(node.get("k", { timeoutMs: 10 ** 9 }));
      await cluster.errorOf(node.get("k", { bucket: parseBucketName("nowhere") }));
    }
    expect((await cluster.run(node.get("k", { bucket: DEFAULT_BUCKET }))).version).toBeUndefined();
  });
});

describe("what a node counts", () => {
  test("each operation once, by how it ended", async () => {
    const cluster = await VirtualCluster.open();
    const node = cluster.node(1);
    await cluster.run(node.put("k", "v"));
    await cluster.run(node.get("k"));
    await cluster.run(node.get("k"));
    await cluster.run(node.delete("k"));
    cluster.cut([node], [cluster.node(2), cluster.node(3)]);
    await cluster.errorOf(node.get("k"));
    await cluster.errorOf(node.put("k", "v"));
    const { telemetry } = node;
    expect(telemetry.count("requests", "write", "lww", "ok")).toBe(1);
    expect(telemetry.count("requests", "read", "lww", "ok")).toBe(2);
    expect(telemetry.count("requests", "delete", "lww", "ok")).toBe(1);
    expect(telemetry.count("requests", "read", "lww", "read-unavailable")).toBe(1);
    expect(telemetry.count("requests", "write", "lww", "write-unavailable")).toBe(1);
    expect(telemetry.observations("requestDuration", "read", "lww")).toHaveLength(3);
  });

  test("durations in seconds of its own clock", async () => {
    const cluster = await VirtualCluster.open();
    const node = cluster.node(1);
    cluster.silence([cluster.node(2), cluster.node(3)]);
    await cluster.errorOf(node.get("k", { timeoutMs: 250 }));
    expect(node.telemetry.observations("requestDuration", "read", "lww")).toEqual([0.25]);
  });
});
