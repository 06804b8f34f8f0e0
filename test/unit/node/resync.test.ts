import { describe, expect, test } from "vitest";
import { hex } from "../../../src/core/bytes.ts";
import { parseRecordKey } from "../../../src/core/record-key.ts";
import { rescue } from "../../../src/node/resync/rescue.ts";
import { MemoryDisk } from "../../../src/testing/memory-storage.ts";
import { valueOf, VirtualCluster } from "../../support/virtual-cluster.ts";
import type { VirtualNode } from "../../support/virtual-node.ts";

const KEYS = Array.from({ length: 60 }, (_, i) => `key-${i}`);

/** Acknowledges a value of every key, at W=2 unless the bucket says otherwise. */
async function writeAll(cluster: VirtualCluster, by: VirtualNode, value: string): Promise<void> {
  for (const key of KEYS) await cluster.run(by.put(key, value));
}

function recordsOf({ disk }: VirtualNode): readonly string[] {
  const records = disk.entries().filter(([key]) => parseRecordKey(key) !== undefined);
  return records.map(([key, value]) => `${hex(key)}=${hex(value)}`);
}

/** Starts the node again on this disk. */
async function restartOn(
  cluster: VirtualCluster,
  node: VirtualNode,
  disk: MemoryDisk,
  options: Parameters<VirtualNode["start"]>[0] = {},
  prepare: (before: MemoryDisk, disk: MemoryDisk) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  node.kill();
  await prepare(node.disk, disk);
  node.disk = disk;
  await cluster.run(node.start(options));
}

/** Acknowledges a value of every key on two nodes, of which the third hears nothing. */
async function writeThrough(
  cluster: VirtualCluster,
  [by, other]: readonly [VirtualNode, VirtualNode],
  value: string,
): Promise<void> {
  const third = cluster.nodes.find((node) => node !== by && node !== other);
  if (third === undefined) throw new Error("there are three nodes");
  cluster.cut([third], [by, other]);
  await writeAll(cluster, by, value);
  cluster.heal([third], [by, other]);
  await cluster.connected();
}

describe("the first start of a cluster (N=3 R=W=2)", () => {
  test("is whole within a second, and nothing is copied", async () => {
    const cluster = await VirtualCluster.open();
    expect(cluster.time.now()).toBeLessThan(1_000);
    for (const { telemetry } of cluster.nodes) {
      expect(telemetry.gauge("resyncPartitions")).toBe(0);
      expect(telemetry.count("resyncRecords")).toBe(0);
    }
    expect(cluster.requests.filter(({ kind }) => kind === "scan")).toEqual([]);
  });

  test("of one node is whole at once", async () => {
    const cluster = await VirtualCluster.open({ nodes: 1 });
    expect(cluster.node(1).resync).toBeUndefined();
    expect(cluster.time.now()).toBe(0);
  });

  test("waits for the word of every member, and says whose", async () => {
    const cluster = VirtualCluster.stopped();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    await cluster.run(Promise.all([n1.start(), n2.start()]));
    await cluster.time.advance(30_000);
    expect(n1.resync).toEqual({
      cause: "new",
      partitions: 256,
      awaited: [{ node: "n3", what: expect.stringContaining("its word") }],
    });
    expect(await cluster.errorOf(n1.get("k"))).toMatchObject({
      code: "starting-or-draining",
      message: expect.stringContaining("n3"),
    });
    await cluster.run(n3.start());
    await cluster.whole();
    expect(valueOf(await cluster.run(n1.get("k")))).toBeUndefined();
  });

  test("that was interrupted goes on waiting", async () => {
    const cluster = VirtualCluster.stopped();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    await cluster.run(Promise.all([n1.start(), n2.start()]));
    await cluster.time.advance(1_000);
    n1.losePower();
    await cluster.run(n1.start());
    await cluster.time.advance(1_000);
    expect(n1.resync).toMatchObject({ cause: "new", partitions: 256 });
    await cluster.run(n3.start());
    await cluster.whole();
  });
});

describe("a restart on the same directory", () => {
  test.each(["kill", "losePower", "stop"] as const)(
    "(%s) is whole at once, also while another node is down",
    async (end) => {
      const cluster = await VirtualCluster.open();
      const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
      await writeAll(cluster, n2, "v");
      n3.kill();
      await cluster.run(Promise.resolve(n1[end]()));
      await cluster.run(n1.start());
      expect(n1.resync).toBeUndefined();
      await cluster.time.runUntil(() => n1.sees(n2) && n2.sees(n1));
      await cluster.time.advance(10_000);
      expect(n1.resync).toBeUndefined();
      for (const key of KEYS) expect(valueOf(await cluster.run(n1.get(key)))).toBe("v");
    },
  );
});

describe("a directory that lacks what its node acknowledged (N=3 R=W=2)", () => {
  interface Loss {
    /** Leaves n1 started on a directory without `new`, which n1 and n2 alone acknowledged. */
    readonly lose: (cluster: VirtualCluster, n1: VirtualNode) => Promise<() => Promise<void>>;
  }

  const LOSSES: readonly (readonly [string, Loss])[] = [
    [
      "wiped",
      {
        lose: async (cluster, n1) => () => restartOn(cluster, n1, new MemoryDisk()),
      },
    ],
    [
      "salvaged",
      {
        lose: async (cluster, n1) => () =>
          restartOn(cluster, n1, new MemoryDisk(), {}, async (damaged, fresh) => {
            const [key = new Uint8Array(0)] =
              damaged.entries().find(([at]) => at[0] === 0x72) ?? [];
            damaged.rot(key, new Uint8Array(50));
            const [from, to] = [await damaged.open(), await fresh.open()];
            const { kept, damaged: lost } = await rescue({ from, to });
            expect([kept, lost]).toEqual([KEYS.length - 1, 1]);
            await Promise.all([from.close(), to.close()]);
          }),
      },
    ],
    [
      "restored from a copy of a stopped node",
      {
        async lose(cluster, n1) {
          await cluster.run(n1.stop());
          const copy = n1.disk.copy();
          await cluster.run(n1.start());
          await cluster.connected();
          return () => restartOn(cluster, n1, copy);
        },
      },
    ],
    [
      "rolled back to a copy of the running node",
      {
        async lose(cluster, n1) {
          const copy = n1.disk.copy();
          return () => restartOn(cluster, n1, copy);
        },
      },
    ],
    [
      "exchanged for one that it had long ago",
      {
        async lose(cluster, n1) {
          const long = n1.disk.copy();
          await restartOn(cluster, n1, new MemoryDisk());
          await cluster.time.advance(1_000);
          await cluster.connected();
          await cluster.whole();
          return () => restartOn(cluster, n1, long);
        },
      },
    ],
  ];

  test.each(LOSSES)(
    "%s: acknowledged writes are read meanwhile and after, and it ends byte-equal",
    async (_name, { lose }) => {
      const cluster = await VirtualCluster.open();
      const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
      await writeAll(cluster, n1, "old");
      await cluster.time.advance(10_000);
      const restart = await lose(cluster, n1);
      const actors = new Set([n1.actor]);
      // On n1 and n2 alone: a read quorum of n1 and n3 would not find it once n1 has lost it.
      await writeThrough(cluster, [n1, n2], "new");
      await cluster.time.advance(1_000);
      // Before it can copy anything from n2, whatever it is asked.
      n2.clock.pause();
      await restart();
      await cluster.time.advance(500);
      expect(n1.resync).toMatchObject({ partitions: 256 });
      for (const key of KEYS.slice(0, 10)) {
        for (const node of [n1, n3]) {
          const read = node.get(key, { timeoutMs: 200 });
          expect((await cluster.errorOf(read)).code).toMatch(/^read-(timeout|unavailable)$/);
        }
      }
      n2.clock.resume();
      await cluster.connected();
      for (const key of KEYS.slice(0, 10)) {
        for (const node of cluster.nodes) {
          expect(valueOf(await cluster.run(node.get(key)))).toBe("new");
        }
      }
      await cluster.whole();
      expect(recordsOf(n1)).toEqual(recordsOf(n2));
      // Now n1 alone has to know what n3 never heard of.
      n2.kill();
      for (const key of KEYS) {
        for (const node of [n1, n3]) expect(valueOf(await cluster.run(node.get(key)))).toBe("new");
      }
      for (const node of cluster.nodes) expect(recordsOf(node)).toEqual(recordsOf(n2));
      await cluster.run(n2.start());
      await cluster.connected();
      // Whole for good: nobody holds the lost directory against it any more.
      await cluster.time.advance(10_000);
      for (const node of cluster.nodes) expect(node.resync).toBeUndefined();
      n1.kill();
      await cluster.run(n1.start());
      await cluster.time.advance(10_000);
      expect(n1.resync).toBeUndefined();
      expect(actors).not.toContain(n1.actor);
    },
  );

  test("takes writes and counts toward W while it resynchronises", async () => {
    const cluster = await VirtualCluster.open({ options: { resyncBytesPerSecond: 500 } });
    const [n1, n2] = [cluster.node(1), cluster.node(2)];
    await writeAll(cluster, n1, "v".repeat(2_000));
    await restartOn(cluster, n1, new MemoryDisk());
    await cluster.connected();
    await cluster.time.advance(1_000);
    const partitions = n1.resync?.partitions ?? 0;
    expect(partitions).toBeGreaterThan(100);
    for (const key of KEYS) {
      expect((await cluster.run(n2.put(key, "w", { w: 3 }))).quorum.acked).toBe(3);
      expect((await cluster.run(n1.put(key, "x"))).quorum.acked).toBeGreaterThanOrEqual(2);
    }
    expect(n1.resync?.partitions).toBeGreaterThan(0);
  });

  test("waits for as many sources as there must be, says for whom, and goes on by itself", async () => {
    const cluster = await VirtualCluster.open();
    const [n1, n3] = [cluster.node(1), cluster.node(3)];
    await writeAll(cluster, n1, "v");
    n3.kill();
    await restartOn(cluster, n1, new MemoryDisk());
    await cluster.time.advance(60_000);
    expect(n1.resync).toEqual({
      cause: "lost",
      partitions: 256,
      awaited: [{ node: "n3", what: "a copy of its partitions: unreachable" }],
    });
    await cluster.run(n3.start());
    await cluster.whole();
    expect(recordsOf(n1)).toEqual(recordsOf(n3));
  });

  test("with data loss accepted is whole at once, as somebody new, and stays so", async () => {
    const cluster = await VirtualCluster.open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    await writeAll(cluster, n1, "v");
    await cluster.time.advance(1_000);
    n3.kill();
    await restartOn(cluster, n1, new MemoryDisk());
    await cluster.time.advance(1_000);
    expect(n1.resync).toMatchObject({ cause: "lost" });
    n1.kill();
    await cluster.run(n1.start({ acceptDataLoss: true }));
    expect(n1.resync).toBeUndefined();
    expect(n1.telemetry.lines.find(({ level }) => level === "warn")?.message).toMatch(/accepted/);
    await cluster.time.runUntil(() => n1.sees(n2) && n2.sees(n1));
    await cluster.time.advance(2_000);
    expect(n1.resync).toBeUndefined();
    n1.kill();
    await cluster.run(n1.start());
    await cluster.time.advance(2_000);
    expect(n1.resync).toBeUndefined();
    for (const key of KEYS) expect(valueOf(await cluster.run(n2.get(key)))).toBe("v");
  });

  test("two wiped nodes do not make each other whole", async () => {
    const cluster = await VirtualCluster.open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    await writeAll(cluster, n1, "v");
    await Promise.all([n1, n2].map((node) => restartOn(cluster, node, new MemoryDisk())));
    await cluster.time.advance(60_000);
    expect(n1.resync).toEqual({
      cause: "lost",
      partitions: 256,
      awaited: [{ node: "n2", what: "a copy of its partitions: resynchronising" }],
    });
    // What both lost is gone; what n3 has is not.
    n2.kill();
    await cluster.run(n2.start({ acceptDataLoss: true }));
    await cluster.whole();
    expect(recordsOf(n1)).toEqual(recordsOf(n3));
  });

  test("is told again when it died before it had written down what it was told", async () => {
    const cluster = await VirtualCluster.open();
    const [n1, n3] = [cluster.node(1), cluster.node(3)];
    await writeAll(cluster, n1, "v");
    n1.kill();
    n1.disk = new MemoryDisk();
    await cluster.run(n1.start());
    n1.disk.pause = (work) => (work === "batch" ? new Promise(() => {}) : Promise.resolve());
    await cluster.time.advance(2_000);
    expect(n1.resync).toMatchObject({ cause: "lost", partitions: 256 });
    n1.losePower();
    n1.disk.pause = () => Promise.resolve();
    await cluster.run(n1.start());
    expect(n1.resync).toMatchObject({ cause: "new", partitions: 256 });
    await cluster.connected();
    await cluster.whole();
    expect(recordsOf(n1)).toEqual(recordsOf(n3));
  });

  test("copies again only what it had not copied when it died", async () => {
    const cluster = await VirtualCluster.open({ options: { resyncBytesPerSecond: 20_000 } });
    const n1 = cluster.node(1);
    await writeAll(cluster, n1, "v".repeat(2_000));
    await restartOn(cluster, n1, new MemoryDisk());
    await cluster.time.runUntil(() => (n1.telemetry.gauge("resyncPartitions") ?? 0) < 128);
    n1.losePower();
    await cluster.run(n1.start());
    expect(n1.resync?.partitions).toBeLessThan(128);
    await cluster.time.advance(1_000);
    expect(n1.resync?.partitions).toBeLessThan(128);
    await cluster.whole();
    expect(recordsOf(n1)).toEqual(recordsOf(cluster.node(2)));
  });

  test("says that it is not whole as long as it refuses, also when its disk is full meanwhile", async () => {
    const cluster = await VirtualCluster.open();
    const n1 = cluster.node(1);
    await cluster.time.advance(1_000);
    await restartOn(cluster, n1, new MemoryDisk());
    const missing = () => n1.telemetry.gauge("resyncPartitions") ?? 0;
    await cluster.time.runUntil(() => missing() < 250);
    n1.disk.capacityBytes -= n1.disk.freeBytes;
    for (let passedMs = 0; missing() > 0; passedMs += 10) {
      if (passedMs === 5_000) n1.disk.capacityBytes += 2 ** 30;
      await cluster.time.advance(10);
      expect(n1.isWhole).toBe(missing() === 0);
    }
  });

  test("is copied while a load of writes goes on, and ends byte-equal", async () => {
    const cluster = await VirtualCluster.open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    await writeAll(cluster, n2, "before");
    await restartOn(cluster, n1, new MemoryDisk());
    const acknowledged = new Map<string, string>();
    let round = 0;
    while (!n1.isWhole || round === 0) {
      round += 1;
      const by = round % 2 === 0 ? n2 : n3;
      const key = KEYS[(round * 7) % KEYS.length] ?? "";
      await cluster.run(by.put(key, `round ${round}`));
      acknowledged.set(key, `round ${round}`);
      expect(valueOf(await cluster.run(n3.get(key)))).toBe(`round ${round}`);
    }
    for (const [key, value] of acknowledged) {
      for (const node of cluster.nodes) {
        expect(valueOf(await cluster.run(node.get(key, { r: 3 })))).toBe(value);
      }
    }
    await cluster.time.advance(1_000);
    for (const node of cluster.nodes) expect(recordsOf(node)).toEqual(recordsOf(n2));
  });

  test("a source with a damaged record is none: the partition waits", async () => {
    const cluster = await VirtualCluster.open();
    const [n1, n2] = [cluster.node(1), cluster.node(2)];
    await writeAll(cluster, n1, "v");
    const [key = new Uint8Array(0), value] =
      n2.disk.entries().find(([at]) => parseRecordKey(at) !== undefined) ?? [];
    const rotten = Uint8Array.from(value ?? []);
    rotten[20] = (rotten[20] ?? 0) ^ 1;
    n2.disk.rot(key, rotten);
    await restartOn(cluster, n1, new MemoryDisk());
    await cluster.time.advance(60_000);
    expect(n1.resync).toMatchObject({
      partitions: 1,
      awaited: [{ node: "n2", what: "a copy of its partitions: damaged-record" }],
    });
  });
});

describe("what peers remember", () => {
  test("is written down within seconds also of a node that then rests, and not again", async () => {
    const cluster = await VirtualCluster.open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    await writeAll(cluster, n1, "v");
    const older = n1.disk.copy();
    await writeAll(cluster, n1, "w");
    await cluster.time.advance(10_000);
    const batches = cluster.nodes.map(({ disk }) => disk.calls.batch);
    await cluster.time.advance(60_000);
    expect(cluster.nodes.map(({ disk }) => disk.calls.batch)).toEqual(batches);
    for (const node of [n2, n3]) {
      node.kill();
      await cluster.run(node.start());
    }
    await restartOn(cluster, n1, older);
    await cluster.connected();
    expect(n1.resync).toMatchObject({ cause: "lost", partitions: 256 });
  });
});
