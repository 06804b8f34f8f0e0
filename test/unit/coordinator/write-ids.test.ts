import { describe, expect, test } from "vitest";
import { utf8 } from "../../../src/core/bytes.ts";
import { findRecent } from "../../../src/core/version/recent.ts";
import { writeIdentity } from "../../../src/core/version/write-identity.ts";
import { LATENCY_MS, valueOf, VirtualCluster, writeIdOf } from "../../support/virtual-cluster.ts";
import type { VirtualNode } from "../../support/virtual-node.ts";

const writeId = writeIdOf("write-1");

function knownAt(node: VirtualNode, key: string): number | undefined {
  const record = node.record(key);
  const { idHash } = writeIdentity({ writeId, content: undefined, ttlSeconds: undefined });
  return record && findRecent(record.recent, idHash)?.stamp;
}

/** Loses what is sent to be written at the given nodes. */
function losesWritesTo(cluster: VirtualCluster, lost: readonly VirtualNode[]): void {
  const ids = new Set(lost.map(({ id }) => id));
  cluster.fate = ({ leg, to }) =>
    leg === "request" && cluster.requests.at(-1)?.kind === "write" && ids.has(to)
      ? []
      : [LATENCY_MS];
}

describe("a retry of a write that reached W (N=3 R=W=2)", () => {
  test("through another node is acknowledged with the stamp of the first attempt and writes nothing", async () => {
    const cluster = await VirtualCluster.open();
    const first = await cluster.run(cluster.node(1).put("k", "v", { writeId }));
    await cluster.time.advance(100);
    const stored = cluster.nodes.map((node) => node.record("k")?.bytes);
    const again = await cluster.run(cluster.node(2).put("k", "v", { writeId, attempt: 2 }));
    expect(again.version).toEqual(first.version);
    await cluster.time.advance(100);
    expect(cluster.nodes.map((node) => node.record("k")?.bytes)).toEqual(stored);
    expect(cluster.node(2).telemetry.count("knownWrites")).toBe(1);
  });

  test("after another write came between is acknowledged, and the other one stays", async () => {
    const cluster = await VirtualCluster.open();
    const first = await cluster.run(cluster.node(1).put("k", "mine", { writeId }));
    const other = await cluster.run(cluster.node(3).put("k", "other"));
    const again = await cluster.run(cluster.node(2).put("k", "mine", { writeId, attempt: 2 }));
    expect(again.version).toEqual(first.version);
    for (const node of cluster.nodes) {
      const read = await cluster.run(node.get("k"));
      expect([valueOf(read), read.version?.stamp]).toEqual(["other", other.version.stamp]);
    }
  });

  test("of a delete after the key was put anew is acknowledged, and the value stays", async () => {
    const cluster = await VirtualCluster.open();
    await cluster.run(cluster.node(1).delete("k", { writeId }));
    await cluster.run(cluster.node(2).put("k", "anew"));
    await cluster.run(cluster.node(3).delete("k", { writeId, attempt: 2 }));
    expect(valueOf(await cluster.run(cluster.node(1).get("k")))).toBe("anew");
  });

  test("is recognised while any one replica is down", async () => {
    for (const down of [1, 2, 3]) {
      const cluster = await VirtualCluster.open();
      const first = await cluster.run(cluster.node(1).put("k", "v", { writeId }));
      await cluster.time.advance(100);
      cluster.node(down).kill();
      const via = cluster.node((down % 3) + 1);
      const again = await cluster.run(via.put("k", "v", { writeId, attempt: 2 }));
      expect(again.version).toEqual(first.version);
    }
  });

  test("is recognised after all nodes lost power", async () => {
    const cluster = await VirtualCluster.open();
    const first = await cluster.run(cluster.node(1).put("k", "v", { writeId }));
    for (const node of cluster.nodes) node.losePower();
    await cluster.run(Promise.all(cluster.nodes.map((node) => node.start())));
    await cluster.connected();
    const again = await cluster.run(cluster.node(2).put("k", "v", { writeId, attempt: 2 }));
    expect(again.version).toEqual(first.version);
  });

  test("is recognised after 15 further writes; after 16 it is a second write", async () => {
    for (const [between, recognised] of [
      [15, true],
      [16, false],
    ] as const) {
      const cluster = await VirtualCluster.open();
      const first = await cluster.run(cluster.node(1).put("k", "v", { writeId }));
      for (let i = 0; i < between; i++) await cluster.run(cluster.node(2).put("k", `${i}`));
      const again = await cluster.run(cluster.node(3).put("k", "v", { writeId, attempt: 2 }));
      expect(again.version.stamp === first.version.stamp).toBe(recognised);
    }
  });

  test("is forgotten once the key has a write more than ten minutes newer", async () => {
    const cluster = await VirtualCluster.open();
    const first = await cluster.run(cluster.node(1).put("k", "v", { writeId }));
    await cluster.time.advance(10 * 60 * 1_000 + 1_000);
    const still = await cluster.run(cluster.node(2).put("k", "v", { writeId, attempt: 2 }));
    expect(still.version).toEqual(first.version);
    await cluster.run(cluster.node(3).put("k", "later"));
    const again = await cluster.run(cluster.node(2).put("k", "v", { writeId, attempt: 3 }));
    expect(again.version.stamp).toBeGreaterThan(first.version.stamp);
  });
});

describe("a retry of a write whose first attempt is in doubt (N=3 R=W=2)", () => {
  test("finishes the version that one replica took, instead of writing a second one", async () => {
    const cluster = await VirtualCluster.open();
    const key = cluster.keyOf(...cluster.nodes);
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    losesWritesTo(cluster, [n2, n3]);
    const error = await cluster.errorOf(n1.put(key, "v", { writeId, timeoutMs: 200 }));
    expect(error).toMatchObject({ code: "write-unknown", outcome: "unknown" });
    cluster.fate = () => [LATENCY_MS];
    const again = await cluster.run(n1.put(key, "v", { writeId, attempt: 2 }));
    expect(again.version.stamp).toBe(error.data.stamp);
    await cluster.time.advance(100);
    const stamps = cluster.nodes.map((node) => knownAt(node, key));
    expect(stamps).toEqual([1, 2, 3].map(() => error.data.stamp));
  });

  test("that the learn quorum does not see is a second attempt, with a stamp of its own", async () => {
    const cluster = await VirtualCluster.open();
    const key = cluster.keyOf(...cluster.nodes);
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    losesWritesTo(cluster, [n2, n3]);
    const error = await cluster.errorOf(n1.put(key, "v", { writeId, timeoutMs: 200 }));
    cluster.fate = () => [LATENCY_MS];
    cluster.cut([n1], [n2, n3]);
    const again = await cluster.run(n2.put(key, "v", { writeId, attempt: 2 }));
    expect(again.version.stamp).toBeGreaterThan(Number(error.data.stamp));
  });

  test("and cannot be finished now is in doubt still, never `not-applied`", async () => {
    const cluster = await VirtualCluster.open();
    const key = cluster.keyOf(...cluster.nodes);
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    losesWritesTo(cluster, [n2, n3]);
    await cluster.errorOf(n1.put(key, "v", { writeId, timeoutMs: 200 }));
    cluster.fate = ({ leg }) =>
      leg === "request" && cluster.requests.at(-1)?.kind === "repair" ? [] : [LATENCY_MS];
    const error = await cluster.errorOf(n1.put(key, "v", { writeId, attempt: 1, timeoutMs: 200 }));
    expect(error).toMatchObject({ code: "write-unknown", outcome: "unknown" });
  });
});

test("a retry that fails speaks of its own write's stamp, not of the newer one that superseded it", async () => {
  const cluster = await VirtualCluster.open();
  const first = await cluster.run(cluster.node(1).put("k", "mine", { writeId }));
  await cluster.run(cluster.node(1).put("k", "newer"));
  cluster.fate = ({ leg }) =>
    leg === "request" && cluster.requests.at(-1)?.kind === "repair" ? [] : [LATENCY_MS];
  const retry = cluster.node(2).put("k", "mine", { writeId, attempt: 2, timeoutMs: 200 });
  expect((await cluster.errorOf(retry)).data.stamp).toBe(first.version.stamp);
});

describe("a write id that stands for other content", () => {
  test.each([
    ["another value", { content: contentOf("other") }],
    ["a delete", { content: undefined }],
    ["the same value with a time to live", { content: contentOf("v"), ttlSeconds: 60 }],
  ])("is 422 and changes nothing: %s", async (_, request) => {
    const cluster = await VirtualCluster.open();
    const first = await cluster.run(cluster.node(1).put("k", "v", { writeId }));
    const error = await cluster.errorOf(cluster.node(2).put("k", "v", { writeId, ...request }));
    expect(error).toMatchObject({
      code: "write-id-reused",
      status: 422,
      outcome: "not-applied",
      retry: "no",
      data: { writeId },
    });
    const read = await cluster.run(cluster.node(3).get("k"));
    expect([valueOf(read), read.version?.stamp]).toEqual(["v", first.version.stamp]);
  });

  test("says `unknown` where an earlier attempt may live", async () => {
    const cluster = await VirtualCluster.open();
    await cluster.run(cluster.node(1).put("k", "v", { writeId }));
    const error = await cluster.errorOf(cluster.node(1).put("k", "w", { writeId, attempt: 2 }));
    expect(error).toMatchObject({ code: "write-id-reused", outcome: "unknown" });
  });

  test("is another write's business under another key", async () => {
    const cluster = await VirtualCluster.open();
    await cluster.run(cluster.node(1).put("k", "v", { writeId }));
    await cluster.run(cluster.node(1).put("other key", "w", { writeId }));
    expect(valueOf(await cluster.run(cluster.node(2).get("other key")))).toBe("w");
  });
});

function contentOf(text: string) {
  return { value: utf8(text), contentType: undefined, contentEncoding: undefined };
}
