import { describe, expect, test } from "vitest";
import { utf8Text } from "../../../src/core/bytes.ts";
import { parseBucketName } from "../../../src/core/ids.ts";
import type { ListResult } from "../../../src/ports/operations.ts";
import { failureOf, valueOf, VirtualCluster } from "../../support/virtual-cluster.ts";
import type { ListOptions, VirtualNode } from "../../support/virtual-node.ts";

const KEYS = Array.from({ length: 120 }, (_, i) => `key-${String(i).padStart(3, "0")}`);

function keysOf({ keys }: ListResult): readonly (string | undefined)[] {
  return keys.map(utf8Text);
}

function putAll(cluster: VirtualCluster, keys: readonly string[] = KEYS): Promise<unknown> {
  const puts = keys.map((key, i) => cluster.node((i % 3) + 1).put(key, "value"));
  return cluster.run(Promise.all(puts));
}

/** All pages, one after the other, each through the next of the nodes. */
async function pagesOf(
  cluster: VirtualCluster,
  nodes: readonly VirtualNode[],
  options: ListOptions,
): Promise<readonly ListResult[]> {
  const pages: ListResult[] = [];
  for (let cursor: string | undefined; pages.length === 0 || cursor !== undefined;) {
    const node = nodes[pages.length % nodes.length];
    if (node === undefined) throw new Error("no node to ask");
    const page = await cluster.run(node.list({ ...options, cursor }));
    pages.push(page);
    cursor = page.cursor;
    if (pages.length > 200) throw new Error("the listing does not end");
  }
  return pages;
}

describe("a listing (N=3 R=W=2)", () => {
  test("has every key once and in order, its pages asked of whichever nodes", async () => {
    const cluster = await VirtualCluster.open();
    await putAll(cluster);
    for (const limit of [1_000, 120, 50, 7]) {
      const pages = await pagesOf(cluster, cluster.nodes, { limit });
      expect(pages.flatMap(keysOf)).toEqual(KEYS);
      for (const { keys, quorum } of pages) {
        expect(keys.length).toBeLessThanOrEqual(limit);
        expect(quorum).toEqual({ needed: 2, acked: 2, epoch: 1 });
      }
      expect(pages).toHaveLength(Math.ceil(120 / limit));
    }
  });

  test("of a prefix has the keys that begin with it; its cursor is refused for another", async () => {
    const cluster = await VirtualCluster.open();
    await putAll(cluster, ["a", "b", "b/1", "b/2", "c"]);
    const first = await cluster.run(cluster.node(1).list({ prefix: "b", limit: 2 }));
    expect(keysOf(first)).toEqual(["b", "b/1"]);
    const { cursor } = first;
    const second = await cluster.run(cluster.node(2).list({ prefix: "b", limit: 2, cursor }));
    expect([keysOf(second), second.cursor]).toEqual([["b/2"], undefined]);
    for (const prefix of ["", "b/", "c"]) {
      const error = await cluster.errorOf(cluster.node(1).list({ prefix, cursor }));
      expect([error.code, error.status]).toEqual(["cursor-invalid", 400]);
    }
  });

  test("leaves out what was deleted, and has what was put again", async () => {
    const cluster = await VirtualCluster.open();
    await putAll(cluster);
    const gone = KEYS.filter((_, i) => i % 3 === 0);
    await cluster.run(Promise.all(gone.map((key) => cluster.node(2).delete(key))));
    await cluster.run(cluster.node(3).put("key-003", "again"));
    const left = KEYS.filter((key) => !gone.includes(key) || key === "key-003");
    for (const limit of [1_000, 10]) {
      const pages = await pagesOf(cluster, cluster.nodes, { limit });
      expect(pages.flatMap(keysOf)).toEqual(left);
    }
  });

  test("leaves out what has expired, from the millisecond on", async () => {
    const cluster = await VirtualCluster.open();
    await cluster.run(cluster.node(1).put("short", "value", { ttlSeconds: 1 }));
    await cluster.run(cluster.node(1).put("stays", "value"));
    expect(keysOf(await cluster.run(cluster.node(2).list()))).toEqual(["short", "stays"]);
    await cluster.time.advance(1_000);
    expect(keysOf(await cluster.run(cluster.node(2).list()))).toEqual(["stays"]);
  });

  test("of a bucket that does not exist is refused, of an empty one is empty", async () => {
    const cluster = await VirtualCluster.open();
    const bucket = parseBucketName("nowhere");
    expect((await cluster.errorOf(cluster.node(1).list({ bucket }))).code).toBe("bucket-not-found");
    expect(await cluster.run(cluster.node(1).list())).toEqual({
      keys: [],
      cursor: undefined,
      quorum: { needed: 2, acked: 2, epoch: 1 },
    });
  });
});

describe("a listing while a replica lacks writes (N=3 R=W=2)", () => {
  test("through a node that missed 40 deletes and 40 puts shows them all the same", async () => {
    const cluster = await VirtualCluster.open();
    await putAll(cluster);
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    cluster.cut([n3], [n1, n2]);
    await cluster.run(Promise.all(KEYS.slice(0, 40).map((key) => n1.delete(key))));
    const late = Array.from({ length: 40 }, (_, i) => `late-${String(i).padStart(2, "0")}`);
    await cluster.run(Promise.all(late.map((key) => n2.put(key, "value"))));
    cluster.heal([n3], [n1, n2]);
    await cluster.connected();
    expect(n3.record("late-00")).toBeUndefined();
    const pages = await pagesOf(cluster, [n3], { limit: 30 });
    expect(pages.flatMap(keysOf)).toEqual([...KEYS.slice(40), ...late]);
  });

  test("goes on with one node down, and with two is an error, never a short list", async () => {
    const cluster = await VirtualCluster.open();
    await putAll(cluster);
    cluster.node(3).kill();
    for (const node of [cluster.node(1), cluster.node(2)]) {
      expect(keysOf(await cluster.run(node.list()))).toEqual(KEYS);
    }
    cluster.node(2).kill();
    const error = await cluster.errorOf(cluster.node(1).list());
    expect([error.code, error.status, error.outcome]).toEqual([
      "read-unavailable",
      503,
      "not-applied",
    ]);
    expect(error.data).toMatchObject({ needed: 2 });
    const one = await cluster.run(cluster.node(1).list({ r: "one" }));
    expect(keysOf(one)).toEqual(KEYS);
  });

  test("with the others silent ends at its deadline with 504", async () => {
    const cluster = await VirtualCluster.open();
    await putAll(cluster);
    cluster.silence([cluster.node(2), cluster.node(3)]);
    const from = cluster.time.now();
    const error = await cluster.errorOf(cluster.node(1).list({ timeoutMs: 250 }));
    expect([error.code, error.status]).toEqual(["read-timeout", 504]);
    expect(cluster.time.now() - from).toBe(250);
  });

  test("of five members asks two of each partition's three, and does without any one", async () => {
    const cluster = await VirtualCluster.open({ nodes: 5 });
    await putAll(cluster);
    cluster.requests.length = 0;
    const page = await cluster.run(cluster.node(1).list());
    expect(keysOf(page)).toEqual(KEYS);
    // Ten groups of three replicas; six of them have n1, which asks itself for nothing.
    const lists = cluster.requests.filter(({ kind }) => kind === "list");
    expect(lists).toHaveLength(6 * 1 + 4 * 2);
    for (const down of [2, 5]) {
      cluster.node(down).kill();
      await cluster.run(cluster.node(1).list()).then(
        (found) => expect([down, keysOf(found)]).toEqual([2, KEYS]),
        (error: unknown) => expect([down, error]).toMatchObject([5, { code: "read-unavailable" }]),
      );
    }
  });

  test("a damaged record on one replica leaves the listing to the other two", async () => {
    const cluster = await VirtualCluster.open();
    await putAll(cluster);
    cluster.node(1).rot("key-050");
    const page = await cluster.run(cluster.node(1).list());
    expect(keysOf(page)).toEqual(KEYS);
    const { telemetry } = cluster.node(1);
    expect(telemetry.count("replicaAnswers", "n1", "list", "damaged-record")).toBe(1);
  });
});

describe("what a listing costs and is bounded by", () => {
  test("a page over more deleted keys than it asks for is short and goes on behind them", async () => {
    const cluster = await VirtualCluster.open({ options: { requestTimeoutMs: 30_000 } });
    const dead = Array.from({ length: 400 }, (_, i) => `a-${String(i).padStart(3, "0")}`);
    await cluster.run(Promise.all(dead.map((key) => cluster.node(1).delete(key))));
    await cluster.run(cluster.node(1).put("z", "value"));
    const pages = await pagesOf(cluster, [cluster.node(2)], { limit: 1 });
    expect(pages.flatMap(keysOf)).toEqual(["z"]);
    // 16 rounds of 16 entries each.
    expect(pages.map(({ keys }) => keys.length)).toEqual([0, 1]);
  });

  test("a page of the longest keys ends at 256 KiB, and the next one goes on", async () => {
    const cluster = await VirtualCluster.open();
    const long = Array.from({ length: 300 }, (_, i) => `${i}`.padStart(1_024, "0"));
    await putAll(cluster, long);
    const pages = await pagesOf(cluster, cluster.nodes, {});
    expect(pages.flatMap(keysOf)).toEqual(long);
    expect(pages.map(({ keys }) => keys.length)).toEqual([256, 44]);
  });

  test("the 17th listing at a time is refused before any work", async () => {
    const cluster = await VirtualCluster.open();
    const node = cluster.node(1);
    const under = Array.from({ length: 16 }, () => node.list());
    const error = await failureOf(node.list());
    expect([error.code, error.status, error.outcome]).toEqual(["overloaded", 429, "not-applied"]);
    expect(node.telemetry.count("refused", "listsMax")).toBe(1);
    await cluster.run(Promise.all(under));
    expect(keysOf(await cluster.run(node.list()))).toEqual([]);
  });
});

describe("a listing of a siblings bucket", () => {
  test("has a key while any sibling is a value, and not when all are deletes", async () => {
    const cluster = await VirtualCluster.open({ bucket: { mode: "siblings" } });
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    await cluster.run(Promise.all([n1.put("both", "a"), n2.delete("both")]));
    await cluster.run(n1.put("gone", "a"));
    const { context } = await cluster.run(n2.get("gone"));
    await cluster.run(n2.delete("gone", { context }));
    await cluster.run(Promise.all([n1.delete("never"), n2.delete("never")]));
    const both = await cluster.run(n3.get("both"));
    expect(both.siblings.filter(({ version }) => version.content === undefined)).toHaveLength(1);
    expect(both.siblings).toHaveLength(2);
    expect(keysOf(await cluster.run(n3.list()))).toEqual(["both"]);
    await cluster.run(n1.put("one", "value"));
    expect(valueOf(await cluster.run(n3.get("one")))).toBe("value");
    expect(keysOf(await cluster.run(n3.list({ prefix: "o" })))).toEqual(["one"]);
  });
});
