import { describe, expect, test } from "vitest";
import { DEFAULT_BUCKET } from "../../../src/core/bucket.ts";
import { utf8 } from "../../../src/core/bytes.ts";
import { parseKey } from "../../../src/core/ids.ts";
import type { BatchItem, BatchResult } from "../../../src/ports/operations.ts";
import { failureOf, valueOf, VirtualCluster, writeIdOf } from "../../support/virtual-cluster.ts";

function get(key: string): BatchItem {
  return { kind: "read", bucket: DEFAULT_BUCKET, key: parseKey(utf8(key)), r: undefined };
}

function put(key: string, value: string | Uint8Array, writeId?: string): BatchItem {
  const bytes = typeof value === "string" ? utf8(value) : value;
  return {
    kind: "write",
    bucket: DEFAULT_BUCKET,
    key: parseKey(utf8(key)),
    content: { value: bytes, contentType: undefined, contentEncoding: undefined },
    w: undefined,
    durability: undefined,
    ttlSeconds: undefined,
    writeId: writeId === undefined ? undefined : writeIdOf(writeId),
    attempt: 1,
  };
}

function told(result: BatchResult): unknown {
  if (result.kind === "failed") return [result.error.code, result.error.outcome];
  return result.kind === "read" ? valueOf(result.result) : result.result.version.writeId;
}

describe("a batch (N=3 R=W=2)", () => {
  test("of 200 puts and then of 200 gets has each item's own result, in order", async () => {
    const cluster = await VirtualCluster.open();
    const [n1, n2] = [cluster.node(1), cluster.node(2)];
    const names = Array.from({ length: 200 }, (_, i) => `k${i}`);
    const items = names.map((name) => put(name, `value of ${name}`, `w-${name}`));
    const puts = await cluster.run(n1.operations.batch({ items, timeoutMs: undefined }));
    expect(puts.map(told)).toEqual(names.map((name) => `w-${name}`));
    const gets = names.map(get);
    const read = await cluster.run(n2.operations.batch({ items: gets, timeoutMs: undefined }));
    expect(read.map(told)).toEqual(names.map((name) => `value of ${name}`));
    expect(n1.telemetry.count("requests", "write", "lww", "ok")).toBe(200);
  });

  test("one item that fails says nothing of the others", async () => {
    const cluster = await VirtualCluster.open();
    const node = cluster.node(1);
    await cluster.run(node.put("k", "v"));
    await cluster.run(node.put("once", "first", { writeId: writeIdOf("w-1") }));
    const items = [
      get("k"),
      put("once", "other", "w-1"),
      { ...put("k2", "v"), w: 4 },
      put("k3", "v", "w-3"),
      get("nothing"),
    ];
    const results = await cluster.run(node.operations.batch({ items, timeoutMs: undefined }));
    expect(results.map(told)).toEqual([
      "v",
      ["write-id-reused", "not-applied"],
      ["parameter-invalid", "not-applied"],
      "w-3",
      undefined,
    ]);
  });

  test("sent twice under the same write ids has one effect", async () => {
    const cluster = await VirtualCluster.open();
    const batch = { items: [put("a", "v", "w-a"), put("b", "v", "w-b")], timeoutMs: undefined };
    const first = await cluster.run(cluster.node(1).operations.batch(batch));
    const again = await cluster.run(cluster.node(2).operations.batch(batch));
    const stamps = (results: readonly BatchResult[]): unknown[] =>
      results.map((it) => it.kind === "write" && it.result.version.stamp);
    expect(stamps(again)).toEqual(stamps(first));
  });

  test("ends at its deadline, whatever the number of its items, each with a true outcome", async () => {
    const cluster = await VirtualCluster.open();
    const node = cluster.node(1);
    await cluster.run(node.put("takes the lease", "v"));
    cluster.silence([cluster.node(2), cluster.node(3)]);
    const items = Array.from({ length: 100 }, (_, i) =>
      i % 2 === 0 ? get("k") : put(`k${i}`, "v"),
    );
    const begun = cluster.time.now();
    const results = await cluster.run(node.operations.batch({ items, timeoutMs: 300 }));
    // Six more rounds of sixteen, each told at once that it is too late.
    expect(cluster.time.now() - begun).toBeLessThanOrEqual(310);
    expect(results).toHaveLength(100);
    for (const [i, result] of results.entries()) {
      expect(told(result)).toEqual([
        i % 2 === 0 ? "read-timeout" : "write-unavailable",
        "not-applied",
      ]);
    }
  });

  test("asks for no more values once 8 MiB are read: the rest is for the next batch", async () => {
    const cluster = await VirtualCluster.open();
    const node = cluster.node(1);
    const value = new Uint8Array(1024 * 1024);
    await cluster.run(node.operations.batch({ items: [put("big", value)], timeoutMs: undefined }));
    const items = Array.from({ length: 60 }, () => get("big"));
    const results = await cluster.run(node.operations.batch({ items, timeoutMs: undefined }));
    const read = results.filter(({ kind }) => kind === "read").length;
    expect(read).toBeGreaterThanOrEqual(8);
    expect(read).toBeLessThanOrEqual(8 + 16);
    expect(results.slice(-10).map(told)).toEqual(
      Array.from({ length: 10 }, () => ["batch-too-large", "not-applied"]),
    );
  });

  test("the 33rd at a time is refused before any work", async () => {
    const cluster = await VirtualCluster.open();
    const node = cluster.node(1);
    const batch = { items: [get("k")], timeoutMs: undefined };
    const under = Array.from({ length: 32 }, () => node.operations.batch(batch));
    const error = await failureOf(node.operations.batch(batch));
    expect([error.code, error.status]).toEqual(["overloaded", 429]);
    expect(node.telemetry.count("refused", "batchesMax")).toBe(1);
    await cluster.run(Promise.all(under));
    expect(await cluster.run(node.operations.batch(batch))).toHaveLength(1);
    const late = await failureOf(node.operations.batch({ ...batch, timeoutMs: 30_001 }));
    expect(late.code).toBe("parameter-invalid");
  });
});
