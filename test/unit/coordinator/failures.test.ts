import { describe, expect, test } from "vitest";
import { EMPTY_BYTES } from "../../../src/core/bytes.ts";
import type { Message } from "../../../src/testing/in-process-network.ts";
import {
  failureOf,
  LATENCY_MS,
  valueOf,
  VirtualCluster,
  writeIdOf,
} from "../../support/virtual-cluster.ts";
import { addressOf } from "../../support/virtual-node.ts";

const SPARE_DELAY_MS = 50;
const TIMEOUT_MS = 400;

/** Loses the answers of a node from its first write request on: those of the write round. */
function losesWriteAnswers(cluster: VirtualCluster): (message: Message) => readonly number[] {
  const writing = new Set<string>();
  return ({ from, to, leg }) => {
    if (leg === "request" && cluster.requests.at(-1)?.kind === "write")
      writing.add(`${to}>${from}`);
    return leg === "answer" && writing.has(`${from}>${to}`) ? [] : [LATENCY_MS];
  };
}

test("an error says of each replica that failed why it did", async () => {
  const cluster = await VirtualCluster.open();
  const key = cluster.keyOf(...cluster.nodes);
  cluster.cut([cluster.node(1)], [cluster.node(2), cluster.node(3)]);
  const read = await cluster.errorOf(cluster.node(1).get(key));
  expect(read.message).toMatch(/must answer did \(n2: not-sent, n3: not-sent\)$/);
  const write = await cluster.errorOf(cluster.node(1).put(key, "v"));
  expect(write.message).toContain("answered (n2: not-sent, n3: not-sent); nothing was sent");
});

describe("one node of three down (N=3 R=W=2)", () => {
  test.each([1, 2, 3])("known to be unreachable, n%i costs no operation any wait", async (down) => {
    const cluster = await VirtualCluster.open();
    const rest = cluster.nodes.filter((node) => node !== cluster.node(down));
    cluster.cut([cluster.node(down)], rest);
    for (const [i, node] of rest.entries()) {
      const begun = cluster.time.now();
      await cluster.run(node.put("k", `value ${i}`));
      for (const reader of rest) {
        expect(valueOf(await cluster.run(reader.get("k")))).toBe(`value ${i}`);
      }
      await cluster.run(node.delete("gone"));
      expect(cluster.time.now() - begun).toBeLessThan(SPARE_DELAY_MS);
    }
  });

  test("a silent replica is joined by a spare after spareDelayMs; the read is then answered", async () => {
    const cluster = await VirtualCluster.open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    const key = cluster.keyOf(n1, n2, n3);
    await cluster.run(n1.put(key, "value"));
    await cluster.time.advance(100);
    cluster.silence([n2]);
    cluster.requests.length = 0;
    const begun = cluster.time.now();
    expect(valueOf(await cluster.run(n1.get(key)))).toBe("value");
    expect(cluster.requests.map(({ to, at }) => [to, at - begun])).toEqual([
      ["n2", 0],
      ["n3", SPARE_DELAY_MS],
    ]);
    expect(cluster.time.now() - begun).toBe(SPARE_DELAY_MS + 2 * LATENCY_MS);
    expect(n1.telemetry.count("spareRequests", "read")).toBe(1);
  });

  test("a write with a silent replica waits for the spare in its learn round only", async () => {
    const cluster = await VirtualCluster.open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    const key = cluster.keyOf(n1, n2, n3);
    cluster.silence([n2]);
    const begun = cluster.time.now();
    await cluster.run(n1.put(key, "value"));
    expect(cluster.time.now() - begun).toBe(SPARE_DELAY_MS + 4 * LATENCY_MS);
    expect(cluster.stored(key)).toEqual(["value", undefined, "value"]);
  });

  test("a peer that has been silent for peerSilenceMs is asked last from then on", async () => {
    const cluster = await VirtualCluster.open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    const key = cluster.keyOf(n1, n2, n3);
    cluster.silence([n2]);
    await cluster.run(n1.get(key));
    await cluster.time.runUntil(() => !n1.sees(n2));
    cluster.requests.length = 0;
    const begun = cluster.time.now();
    await cluster.run(n1.get(key));
    expect(cluster.requests.map(({ to }) => to)).toEqual(["n3"]);
    expect(cluster.time.now() - begun).toBe(2 * LATENCY_MS);
    expect(n1.telemetry.count("spareRequests", "read")).toBe(1);
  });

  test.each(["getMany", "overload"])(
    "a replica that fails (%s) is replaced by a spare at once",
    async (how) => {
      const options = how === "overload" ? { readQueueMax: 1 } : {};
      const cluster = await VirtualCluster.open({ options });
      const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
      const key = cluster.keyOf(n1, n2, n3);
      if (how === "overload") {
        n2.disk.pause = () => new Promise(() => {});
        void n2.get(cluster.keyOf(n2, n1, n3), { r: 1 });
        await cluster.time.advance(0);
      } else {
        n2.disk.fail("getMany");
      }
      const begun = cluster.time.now();
      expect((await cluster.run(n1.get(key))).version).toBeUndefined();
      expect(cluster.time.now() - begun).toBe(4 * LATENCY_MS);
      expect(n1.telemetry.count("spareRequests", "read")).toBe(1);
      const reason = how === "overload" ? "overloaded" : "storage-error";
      expect(n1.telemetry.count("replicaAnswers", "n2", "read", reason)).toBe(1);
    },
  );

  test("the coordinator's own replica may fail too: a spare is asked at once", async () => {
    const cluster = await VirtualCluster.open({ options: { readQueueMax: 1 } });
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    n1.disk.pause = () => new Promise(() => {});
    void n1.get(cluster.keyOf(n1, n2, n3), { r: 1 });
    await cluster.time.advance(0);
    const begun = cluster.time.now();
    await cluster.run(n1.get(cluster.keyOf(n3, n2, n1)));
    expect(cluster.time.now() - begun).toBe(2 * LATENCY_MS);
  });

  test("who was away is brought up to date by the next read that it takes part in", async () => {
    const cluster = await VirtualCluster.open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    cluster.cut([n3], [n1, n2]);
    await cluster.run(n1.put("k", "value"));
    cluster.heal([n3], [n1, n2]);
    await cluster.connected();
    expect(n3.record("k")).toBeUndefined();
    expect(valueOf(await cluster.run(n3.get("k")))).toBe("value");
    await cluster.time.advance(100);
    expect(cluster.stored("k")).toEqual(["value", "value", "value"]);
  });
});

describe("two nodes of three down (N=3 R=W=2)", () => {
  async function alone(): Promise<VirtualCluster> {
    const cluster = await VirtualCluster.open();
    cluster.cut([cluster.node(1)], [cluster.node(2), cluster.node(3)]);
    return cluster;
  }

  test("a write is write-unavailable at once, and proven: no replica ever holds it", async () => {
    const cluster = await alone();
    const begun = cluster.time.now();
    const refused = {
      code: "write-unavailable",
      outcome: "not-applied",
      status: 503,
      retry: "after",
      data: expect.objectContaining({ needed: 2 }),
    };
    expect(await cluster.errorOf(cluster.node(1).put("k", "value"))).toMatchObject(refused);
    expect(await cluster.errorOf(cluster.node(1).delete("k"))).toMatchObject(refused);
    expect(cluster.time.now() - begun).toBeLessThan(SPARE_DELAY_MS);
    cluster.heal([cluster.node(1)], [cluster.node(2), cluster.node(3)]);
    await cluster.time.advance(5_000);
    expect(cluster.nodes.map((node) => node.record("k"))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("the same on a second attempt is write-unknown: the first may live", async () => {
    const cluster = await alone();
    for (const attempt of [2, 3]) {
      const writeId = writeIdOf("w-1");
      const error = await cluster.errorOf(cluster.node(1).put("k", "v", { attempt, writeId }));
      expect(error).toMatchObject({ code: "write-unknown", outcome: "unknown", status: 504 });
      expect(error.data.writeId).toBe("w-1");
    }
  });

  test("a read is read-unavailable at once: nothing is said about the key", async () => {
    const cluster = await alone();
    const begun = cluster.time.now();
    const error = await cluster.errorOf(cluster.node(1).get("k"));
    expect(error).toMatchObject({ code: "read-unavailable", status: 503 });
    expect(error.data).toMatchObject({ needed: 2 });
    expect(cluster.time.now() - begun).toBeLessThan(SPARE_DELAY_MS);
  });

  test("r=1 and w=1 still work there", async () => {
    const cluster = await alone();
    await cluster.run(cluster.node(1).put("k", "value", { w: 1 }));
    expect(valueOf(await cluster.run(cluster.node(1).get("k", { r: 1 })))).toBe("value");
  });

  test("w=1 where that promises no reads: silence of the others costs spareDelayMs, not the write", async () => {
    const cluster = await VirtualCluster.open();
    cluster.silence([cluster.node(2), cluster.node(3)]);
    const begun = cluster.time.now();
    const written = await cluster.run(cluster.node(1).put("k", "value", { w: 1 }));
    expect(cluster.time.now() - begun).toBe(SPARE_DELAY_MS);
    expect(written.quorum).toMatchObject({ needed: 1, acked: 1 });
  });

  test("w=1 where reads rely on it (R=3): the write waits for its learn quorum in vain", async () => {
    const cluster = await VirtualCluster.open({ bucket: { r: 3, w: 1 } });
    cluster.silence([cluster.node(2), cluster.node(3)]);
    const write = cluster.node(1).put("k", "value", { timeoutMs: TIMEOUT_MS });
    expect((await cluster.errorOf(write)).code).toBe("write-unavailable");
  });

  test("silent instead of cut: the read is read-timeout, the write not-applied, at the deadline", async () => {
    const cluster = await VirtualCluster.open();
    cluster.silence([cluster.node(2), cluster.node(3)]);
    const begun = cluster.time.now();
    const timeoutMs = TIMEOUT_MS;
    const [read, write] = await cluster.run(
      Promise.all([
        failureOf(cluster.node(1).get("k", { timeoutMs })),
        failureOf(cluster.node(1).put("k", "v", { timeoutMs })),
      ]),
    );
    expect(read).toMatchObject({ code: "read-timeout", status: 504 });
    expect(write).toMatchObject({ code: "write-unavailable", outcome: "not-applied" });
    expect(cluster.time.now() - begun).toBe(TIMEOUT_MS);
    await cluster.time.advance(5_000);
    expect(cluster.stored("k")).toEqual([undefined, undefined, undefined]);
  });

  test("absence needs two answers: one replica that knows nothing is not enough", async () => {
    const cluster = await VirtualCluster.open();
    await cluster.run(cluster.node(2).put("k", "value"));
    await cluster.time.advance(100);
    cluster.cut([cluster.node(1)], [cluster.node(2), cluster.node(3)]);
    for (const key of ["k", "never written"]) {
      expect(await cluster.errorOf(cluster.node(1).get(key))).toMatchObject({
        code: "read-unavailable",
      });
    }
  });
});

describe("a write whose acknowledgements do not come", () => {
  test("lost answers: write-unknown at the deadline, and the value is there", async () => {
    const cluster = await VirtualCluster.open();
    cluster.fate = losesWriteAnswers(cluster);
    const begun = cluster.time.now();
    const error = await cluster.errorOf(cluster.node(1).put("k", "v", { timeoutMs: TIMEOUT_MS }));
    expect(error).toMatchObject({ code: "write-unknown", outcome: "unknown", status: 504 });
    expect(error).toMatchObject({ retry: "same-write-id" });
    expect(error.data).toMatchObject({ needed: 2, acked: 1 });
    expect(error.data.writeId).toMatch(/^[A-Za-z0-9._:-]{16,64}$/);
    expect(cluster.time.now() - begun).toBe(TIMEOUT_MS);
    expect(cluster.stored("k")).toEqual(["v", "v", "v"]);
  });

  test("the same on a second attempt is write-unknown as well", async () => {
    const cluster = await VirtualCluster.open();
    cluster.fate = losesWriteAnswers(cluster);
    const write = cluster.node(1).put("k", "v", { timeoutMs: TIMEOUT_MS, attempt: 2 });
    expect(await cluster.errorOf(write)).toMatchObject({
      code: "write-unknown",
      outcome: "unknown",
    });
  });

  test("a retry under the same write id after that succeeds", async () => {
    const cluster = await VirtualCluster.open();
    cluster.fate = losesWriteAnswers(cluster);
    const writeId = writeIdOf("w-1");
    await cluster.errorOf(cluster.node(1).put("k", "v", { timeoutMs: TIMEOUT_MS, writeId }));
    cluster.fate = () => [LATENCY_MS];
    await cluster.run(cluster.node(2).put("k", "v", { writeId, attempt: 2 }));
    const read = await cluster.run(cluster.node(3).get("k"));
    expect(read.version?.writeId).toBe("w-1");
    expect(valueOf(read)).toBe("v");
  });

  test("connections lost in the write round: write-unknown at once, the own replica holds it", async () => {
    const cluster = await VirtualCluster.open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    cluster.fate = () => {
      if (cluster.requests.at(-1)?.kind !== "write") return [LATENCY_MS];
      cluster.time.after(0, () => cluster.cut([n1], [n2, n3]));
      return [100];
    };
    const begun = cluster.time.now();
    const error = await cluster.errorOf(n1.put("k", "v"));
    expect(error).toMatchObject({ code: "write-unknown", outcome: "unknown" });
    expect(cluster.time.now() - begun).toBeLessThan(SPARE_DELAY_MS);
    expect(cluster.stored("k")).toEqual(["v", undefined, undefined]);
  });

  test("every replica unreachable after the learn round: write-unavailable, and nobody holds it", async () => {
    const cluster = await VirtualCluster.open({ nodes: 4 });
    const outsider = cluster.node(4);
    const replicas = [cluster.node(1), cluster.node(2), cluster.node(3)];
    const key = cluster.keyOf(cluster.node(1), cluster.node(2), cluster.node(3));
    // The first stamp of a node waits for its lease on the disk: the learn round is over by then.
    let leaseWritten: () => void = () => {};
    outsider.disk.pause = () =>
      new Promise((resolve) => {
        leaseWritten = resolve;
      });
    const failure = failureOf(outsider.put(key, "v"));
    await cluster.time.runUntil(() => learned(outsider) === 2);
    cluster.cut([outsider], replicas);
    outsider.disk.pause = () => Promise.resolve();
    leaseWritten();
    const error = await cluster.run(failure);
    expect(error).toMatchObject({ code: "write-unavailable", outcome: "not-applied" });
    expect(cluster.requests.map(({ kind }) => kind)).toEqual(["learn", "learn"]);
    cluster.heal([outsider], replicas);
    await cluster.time.advance(5_000);
    expect(cluster.stored(key)).toEqual([undefined, undefined, undefined, undefined]);
  });

  test("replicas that refuse, here for full queues, prove it too", async () => {
    const cluster = await VirtualCluster.open({ nodes: 4, options: { commitQueueMax: 1 } });
    const [n1, n2, n3, n4] = [cluster.node(1), cluster.node(2), cluster.node(3), cluster.node(4)];
    // One write of each replica is at its disk, which hangs, and one waits.
    const first = cluster.keyOf(n1, n2, n3);
    const second = cluster.keyOf(n1, n3, n2);
    const third = cluster.keyOf(n2, n1, n3);
    await cluster.run(n4.put(cluster.keyOf(n4, n1, n2), "takes n4's lease"));
    await cluster.time.advance(100);
    for (const { disk } of [n1, n2, n3]) {
      disk.pause = (work) => (work === "batch" ? new Promise(() => {}) : Promise.resolve());
    }
    const timeoutMs = TIMEOUT_MS;
    const stuck: Promise<unknown>[] = [];
    for (const key of [first, second]) {
      stuck.push(failureOf(n4.put(key, "stuck", { timeoutMs })));
      await cluster.time.advance(20);
    }
    const error = await cluster.errorOf(n4.put(third, "v", { timeoutMs }));
    expect(error).toMatchObject({ code: "write-unavailable", outcome: "not-applied" });
    expect(n1.telemetry.count("refused", "commitQueueMax")).toBe(1);
    for (const waiting of stuck) {
      expect(await cluster.run(waiting)).toMatchObject({ code: "write-unknown" });
    }
    expect(cluster.stored(third)).toEqual([undefined, undefined, undefined, undefined]);
  });
});

describe("damaged records", () => {
  test("a replica whose record is damaged counts neither as absence nor as an answer", async () => {
    const cluster = await VirtualCluster.open({ options: { recordCacheBytes: 0 } });
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    await cluster.run(n1.put("k", "value"));
    await cluster.time.advance(100);
    cluster.cut([n3], [n1, n2]);
    rot(cluster, 2, "k");
    expect(await cluster.errorOf(n2.get("k"))).toMatchObject({ code: "read-unavailable" });
    expect(n2.telemetry.count("damagedRecords", "checksum")).toBe(1);
    cluster.heal([n3], [n1, n2]);
    await cluster.connected();
    expect(valueOf(await cluster.run(n2.get("k")))).toBe("value");
  });

  test("a write counts a replica that stores it over a damaged record (N=3 W=3)", async () => {
    const cluster = await VirtualCluster.open({ options: { recordCacheBytes: 0 } });
    const [n1] = [cluster.node(1)];
    await cluster.run(n1.put("k", "value"));
    await cluster.time.advance(100);
    rot(cluster, 2, "k");
    expect((await cluster.run(n1.put("k", "newer", { w: 3 }))).quorum.acked).toBe(3);
    await cluster.time.advance(32_000);
    expect(cluster.stored("k")).toEqual(["newer", "newer", "newer"]);
  });
});

/** Replicas that answered this coordinator's learn rounds. */
function learned({ telemetry }: VirtualCluster["nodes"][number]): number {
  const peers = ["n1", "n2", "n3", "n4"];
  return peers.reduce((sum, id) => sum + telemetry.count("replicaAnswers", id, "learn", "ok"), 0);
}

/** Flips one bit of what the node stores. */
function rot(cluster: VirtualCluster, number: number, key: string): void {
  const { disk } = cluster.node(number);
  const bytes = Uint8Array.from(disk.get(addressOf(key)) ?? EMPTY_BYTES);
  bytes[20] = (bytes[20] ?? 0) ^ 1;
  disk.overwrite(addressOf(key), bytes);
}
