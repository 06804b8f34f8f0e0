import { describe, expect, test } from "vitest";
import { EMPTY_BYTES as NONE, utf8Text } from "../../../src/core/bytes.ts";
import { decodeRequest } from "../../../src/core/messages/request.ts";
import { sleep } from "../../../src/ports/clock.ts";
import type { ReadResult, WriteRequest } from "../../../src/ports/operations.ts";
import {
  failureOf,
  LATENCY_MS,
  valueOf,
  VirtualCluster,
  writeIdOf,
} from "../../support/virtual-cluster.ts";
import type { VirtualClusterOptions } from "../../support/virtual-cluster.ts";
import type { VirtualNode } from "../../support/virtual-node.ts";

function open(opts: VirtualClusterOptions = {}): Promise<VirtualCluster> {
  return VirtualCluster.open({ ...opts, bucket: { mode: "siblings", ...opts.bucket } });
}

/** The values beside each other, sorted; null for a delete. */
function valuesOf({ siblings }: ReadResult): readonly (string | null)[] {
  return siblings
    .map(({ version, expired }) =>
      version.content === undefined || expired ? null : (utf8Text(version.content.value) ?? ""),
    )
    .toSorted((a, b) => ((a ?? "") < (b ?? "") ? -1 : 1));
}

function contextOf({ context }: { readonly context: string | undefined }): string {
  if (context === undefined) throw new Error("every answer of a siblings bucket has a context");
  return context;
}

describe("a siblings bucket (N=3 R=W=2)", () => {
  test("two writers through two nodes without a context make two siblings under one context, and one write with it leaves one", async () => {
    const cluster = await open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    await cluster.run(Promise.all([n1.put("k", "a"), n2.put("k", "b")]));
    const read = await cluster.run(n3.get("k"));
    expect(valuesOf(read)).toEqual(["a", "b"]);
    expect(read.version).toBeUndefined();
    await cluster.run(n1.put("k", "a+b", { context: contextOf(read) }));
    for (const node of cluster.nodes) {
      const merged = await cluster.run(node.get("k"));
      expect([valueOf(merged), valuesOf(merged)]).toEqual(["a+b", ["a+b"]]);
    }
  });

  test("blind writes that follow each other make no siblings, through whichever nodes", async () => {
    const cluster = await open();
    for (let i = 0; i < 12; i++) await cluster.run(cluster.node((i % 3) + 1).put("k", `v${i}`));
    expect(valuesOf(await cluster.run(cluster.node(2).get("k")))).toEqual(["v11"]);
  });

  test("two clients that interleave read, merge and write for 100 rounds see never more than two siblings and lose no element", async () => {
    const cluster = await open();
    const contexts: (string | undefined)[] = [undefined, undefined];
    const known: Set<string>[] = [new Set(), new Set()];
    let most = 0;
    for (let round = 0; round < 100; round++) {
      const client = round % 2;
      const set = known[client];
      if (set === undefined) throw new Error("two clients");
      set.add(`e${round}`);
      const context = contexts[client];
      const through = cluster.node((round % 3) + 1);
      await cluster.run(
        through.put("k", [...set].join(), context === undefined ? {} : { context }),
      );
      const read = await cluster.run(cluster.node(((round + 1) % 3) + 1).get("k"));
      most = Math.max(most, read.siblings.length);
      contexts[client] = contextOf(read);
      known[client] = new Set(valuesOf(read).flatMap((value) => (value ?? "").split(",")));
    }
    const last = await cluster.run(cluster.node(1).get("k"));
    const elements = new Set(valuesOf(last).flatMap((value) => (value ?? "").split(",")));
    expect(elements.size).toBe(100);
    expect(most).toBe(2);
  });

  test("both sides of a cut write; after it both values are visible and every replica holds both", async () => {
    const cluster = await open({ nodes: 5, bucket: { n: 5, r: 1, w: 1 } });
    const left = [cluster.node(1), cluster.node(2)];
    const right = [cluster.node(3), cluster.node(4), cluster.node(5)];
    await cluster.run(cluster.node(1).put("k", "before"));
    const before = await cluster.run(cluster.node(4).get("k", { r: 5 }));
    const context = contextOf(before);
    cluster.cut(left, right);
    await cluster.run(cluster.node(1).put("k", "left", { context }));
    await cluster.run(cluster.node(5).put("k", "right", { context }));
    cluster.heal(left, right);
    await cluster.connected();
    const read = await cluster.run(cluster.node(3).get("k", { r: 5 }));
    expect(valuesOf(read)).toEqual(["left", "right"]);
    const bytes = new Set(cluster.nodes.map((node) => node.siblings("k")?.bytes.toString()));
    expect(bytes.size).toBe(1);
  });

  test("two writes through one node at a time: who holds the later has seen the earlier, even if its messages were lost", async () => {
    const cluster = await open({ bucket: { blindWrites: "sibling" } });
    const [n1, n2] = [cluster.node(1), cluster.node(2)];
    let lost = 0;
    cluster.fate = ({ leg }) =>
      leg === "request" && cluster.requests.at(-1)?.kind === "write" && (lost += 1) <= 2
        ? []
        : [LATENCY_MS];
    const first = failureOf(n1.put("k", "a", { timeoutMs: 300 }));
    await cluster.run(n1.put("k", "b"));
    expect((await cluster.run(first)).code).toBe("write-unknown");
    expect(n2.siblings("k")?.siblings).toHaveLength(2);
  });

  test("a delete that only one replica took does not hide the value that was written without having seen it", async () => {
    const cluster = await open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    const { context } = await cluster.run(n2.put("k", "old"));
    const seen = { context: contextOf({ context }) };
    await cluster.time.advance(100);
    cluster.fate = ({ leg, to }) =>
      leg === "request" && cluster.requests.at(-1)?.kind === "write" && to !== n1.id
        ? []
        : [LATENCY_MS];
    expect((await cluster.errorOf(n1.delete("k", { ...seen, timeoutMs: 300 }))).code).toBe(
      "write-unknown",
    );
    n1.kill();
    cluster.fate = () => [LATENCY_MS];
    await cluster.run(n2.put("k", "new", seen));
    await cluster.run(n1.start());
    await cluster.connected();
    await cluster.whole();
    expect(valuesOf(await cluster.run(n3.get("k", { r: 3 })))).toEqual([null, "new"]);
  });

  test("a context of another key is refused, and nothing is written", async () => {
    const cluster = await open();
    const { context } = await cluster.run(cluster.node(1).put("other", "v"));
    const error = await cluster.errorOf(
      cluster.node(1).put("k", "v", { context: contextOf({ context }) }),
    );
    expect([error.code, error.outcome]).toEqual(["context-invalid", "not-applied"]);
    expect(cluster.node(1).siblings("k")).toBeUndefined();
  });

  test("a bucket that keeps a single version takes no context", async () => {
    const [cluster, single] = [await open(), await VirtualCluster.open()];
    const { context } = await cluster.run(cluster.node(1).get("k"));
    const error = await single.errorOf(
      single.node(1).put("k", "v", { context: contextOf({ context }) }),
    );
    expect([error.code, error.outcome]).toEqual(["bucket-mode-unfit", "not-applied"]);
  });

  test("the context of a write covers the write itself, and no version that its writer has not seen", async () => {
    const cluster = await open();
    const n1 = cluster.node(1);
    const mine = await cluster.run(n1.put("k", "mine"));
    const read = await cluster.run(n1.get("k"));
    await cluster.run(cluster.node(2).put("k", "theirs", { context: contextOf(read) }));
    await cluster.run(n1.put("k", "mine again", { context: contextOf(mine) }));
    expect(valuesOf(await cluster.run(n1.get("k")))).toEqual(["mine again", "theirs"]);
  });

  test("the context of a write never covers an earlier version of its minter that its writer has not seen", async () => {
    const cluster = await open({ bucket: { blindWrites: "sibling" } });
    const n1 = cluster.node(1);
    await cluster.run(n1.put("k", "theirs"));
    const mine = await cluster.run(n1.put("k", "mine"));
    await cluster.run(n1.put("k", "again", { context: contextOf(mine) }));
    expect(valuesOf(await cluster.run(n1.get("k")))).toEqual(["again", "mine", "theirs"]);
  });

  test("a delete beside a value is a sibling; a key of deletes alone is absent, with a context that a new value supersedes", async () => {
    const cluster = await open();
    const [n1, n2] = [cluster.node(1), cluster.node(2)];
    await cluster.run(n1.put("k", "v"));
    const context = contextOf(await cluster.run(n1.get("k")));
    await cluster.run(n1.put("k", "w", { context }));
    await cluster.run(n2.delete("k", { context }));
    const both = await cluster.run(n1.get("k"));
    expect(valuesOf(both)).toEqual([null, "w"]);
    await cluster.run(n2.delete("k", { context: contextOf(both) }));
    const gone = await cluster.run(n1.get("k"));
    expect([gone.version?.content, valuesOf(gone)]).toEqual([undefined, [null]]);
    await cluster.run(n1.put("k", "new", { context: contextOf(gone) }));
    expect(valuesOf(await cluster.run(n2.get("k")))).toEqual(["new"]);
  });

  test("an expired version counts as a delete beside a value", async () => {
    const cluster = await open();
    const [n1, n2] = [cluster.node(1), cluster.node(2)];
    await cluster.run(Promise.all([n1.put("k", "stays"), n2.put("k", "goes", { ttlSeconds: 5 })]));
    await cluster.time.advance(6_000);
    expect(valuesOf(await cluster.run(n1.get("k")))).toEqual([null, "stays"]);
  });

  test("a node that is no replica has its writes minted by replicas: no dot is its own", async () => {
    const cluster = await open({ nodes: 5 });
    const key = cluster.keyOf(cluster.node(1), cluster.node(2), cluster.node(3));
    for (let i = 0; i < 5; i++) await cluster.run(cluster.node(4).put(key, `v${i}`));
    const read = await cluster.run(cluster.node(5).get(key));
    expect(valuesOf(read)).toEqual(["v4"]);
    const actors = cluster
      .node(1)
      .siblings(key)
      ?.entries.map(({ actor }) => actor);
    expect(actors).not.toContain(cluster.node(4).actor);
    expect(cluster.requests.filter(({ kind }) => kind === "mint")).toHaveLength(5);
  });

  test("a write through a node that is no replica passes over a replica that is down", async () => {
    const cluster = await open({ nodes: 5 });
    const key = cluster.keyOf(cluster.node(1), cluster.node(2), cluster.node(3));
    cluster.node(1).kill();
    await cluster.run(cluster.node(4).put(key, "v"));
    expect(valuesOf(await cluster.run(cluster.node(5).get(key)))).toEqual(["v"]);
  });
});

describe("writes without a context", () => {
  const twice = async (blindWrites: "overwrite" | "sibling"): Promise<readonly unknown[]> => {
    const cluster = await open({ bucket: { blindWrites } });
    await cluster.run(cluster.node(1).put("k", "a"));
    await cluster.run(cluster.node(2).put("k", "b"));
    return valuesOf(await cluster.run(cluster.node(3).get("k")));
  };

  test("supersede what is there with blindWrites=overwrite, stand beside it with =sibling", async () => {
    expect(await twice("overwrite")).toEqual(["b"]);
    expect(await twice("sibling")).toEqual(["a", "b"]);
  });

  test("are refused with blindWrites=refuse, deletes too; the context of an absent key will do", async () => {
    const cluster = await open({ bucket: { blindWrites: "refuse" } });
    const n1 = cluster.node(1);
    expect((await cluster.errorOf(n1.put("k", "a"))).code).toBe("context-required");
    expect((await cluster.errorOf(n1.delete("k"))).code).toBe("context-required");
    const absent = await cluster.run(n1.get("k"));
    await cluster.run(n1.put("k", "a", { context: contextOf(absent) }));
    expect(valuesOf(await cluster.run(n1.get("k")))).toEqual(["a"]);
  });
});

describe("siblingsMax", () => {
  test("siblings over it refuse a write before anything is minted, listed; one that supersedes them is taken", async () => {
    const cluster = await open({ bucket: { blindWrites: "sibling", siblingsMax: 3 } });
    const n1 = cluster.node(1);
    for (const value of ["a", "b", "c"]) await cluster.run(n1.put("k", value));
    const error = await cluster.errorOf(n1.put("k", "d"));
    expect([error.code, error.outcome]).toEqual(["too-many-siblings", "not-applied"]);
    expect(error.data.siblings).toHaveLength(3);
    const read = await cluster.run(cluster.node(2).get("k"));
    expect(valuesOf(read)).toEqual(["a", "b", "c"]);
    await cluster.run(n1.put("k", "all", { context: contextOf(read) }));
    expect(valuesOf(await cluster.run(n1.get("k")))).toEqual(["all"]);
  });

  test("repairs bring more than that", async () => {
    const cluster = await open({
      bucket: { blindWrites: "sibling", siblingsMax: 2, r: 1, w: 1 },
    });
    const nodes = cluster.nodes;
    for (const a of nodes) for (const b of nodes) if (a !== b) cluster.cut([a], [b]);
    for (const node of nodes) {
      for (const value of ["x", "y"]) await cluster.run(node.put("k", `${node.id}${value}`));
    }
    for (const a of nodes) for (const b of nodes) if (a !== b) cluster.heal([a], [b]);
    await cluster.connected();
    expect(valuesOf(await cluster.run(cluster.node(1).get("k", { r: 3 })))).toHaveLength(6);
  });
});

test("a write is handed to one replica, however slow it is: another might do it again when others have written since", async () => {
  const cluster = await open({ nodes: 5 });
  const [n1, ...others] = cluster.nodes;
  if (n1 === undefined) throw new Error("five nodes");
  const key = cluster.keyOf(...others.slice(0, 3));
  cluster.fate = ({ leg, payload }) =>
    leg === "request" && decodeRequest(payload).request.kind === "mint" ? [] : [LATENCY_MS];
  const failure = await failureOf(cluster.run(n1.put(key, "v", { timeoutMs: 2_000 })));
  expect(failure).toMatchObject({ code: "write-unknown", outcome: "unknown" });
  expect(cluster.requests.filter(({ kind }) => kind === "mint")).toHaveLength(1);
});

describe("a retry under one write id", () => {
  const writeId = writeIdOf("write-1");
  const retry: Partial<WriteRequest> = { writeId, attempt: 2 };

  test("of a write that reached W is acknowledged with its dot, also after it was superseded", async () => {
    const cluster = await open();
    const first = await cluster.run(cluster.node(1).put("k", "v", { writeId }));
    const again = await cluster.run(cluster.node(2).put("k", "v", retry));
    expect(again.version).toEqual(first.version);
    await cluster.run(cluster.node(3).put("k", "w"));
    const later = await cluster.run(cluster.node(2).put("k", "v", retry));
    expect(later.version).toEqual(first.version);
    expect(valuesOf(await cluster.run(cluster.node(1).get("k")))).toEqual(["w"]);
    const error = await cluster.errorOf(cluster.node(1).put("k", "other", retry));
    expect(error.code).toBe("write-id-reused");
  });

  test("that made two dots is read as one version, and both dots are in the context", async () => {
    const cluster = await open();
    const [n1, n2] = [cluster.node(1), cluster.node(2)];
    await cluster.run(Promise.all([n1.put("k", "v", { writeId }), n2.put("k", "v", retry)]));
    const read = await cluster.run(cluster.node(3).get("k"));
    expect(n1.siblings("k")?.siblings).toHaveLength(2);
    expect([valueOf(read), valuesOf(read)]).toEqual(["v", ["v"]]);
    await cluster.run(n1.put("k", "w", { context: contextOf(read) }));
    expect(n1.siblings("k")?.siblings).toHaveLength(1);
  });
});

test("a write id that two clients use at once for other contents hides neither: both are acknowledged, and both are read", async () => {
  const cluster = await open();
  const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
  const writeId = writeIdOf("used-twice");
  await cluster.run(
    Promise.all([n1.put("k", "mine", { writeId }), n2.put("k", "theirs", { writeId })]),
  );
  expect(valuesOf(await cluster.run(n3.get("k")))).toEqual(["mine", "theirs"]);
});

describe("a node that may have forgotten what it minted", () => {
  test("mints as somebody new after a loss of power, and nothing that is acknowledged later is lost to what it forgot", async () => {
    const cluster = await open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    await cluster.run(n1.put("k", "first", { durability: "async" }));
    const former = n1.actor;
    n1.losePower(() => 0);
    await cluster.run(n1.start());
    await cluster.connected();
    await cluster.whole();
    const read = await cluster.run(n2.get("k"));
    await cluster.run(n1.put("k", "second", { context: contextOf(read) }));
    expect(n1.actor).not.toBe(former);
    expect(valuesOf(await cluster.run(n3.get("k")))).toEqual(["second"]);
  });

  test("whose own disk refused a version that went out to others mints the next as somebody new", async () => {
    const cluster = await open();
    const [n1, n2] = [cluster.node(1), cluster.node(2)];
    await cluster.run(n1.stop());
    await cluster.run(n1.start({ commitQueueMax: 1 }));
    await cluster.connected();
    await cluster.whole();
    for (const key of ["x", "y", "k"]) await cluster.run(n1.put(key, "first"));
    await cluster.time.advance(10);
    n1.disk.pause = (work) => (work === "getMany" ? Promise.resolve() : sleep(n1.clock, 60));
    await cluster.run(Promise.all(["x", "y", "k"].map((key) => n1.put(key, "second"))));
    const held = (node: VirtualNode): readonly string[] =>
      (node.siblings("k")?.versions ?? []).map(
        ({ content }) => utf8Text(content?.value ?? NONE) ?? "",
      );
    n1.disk.pause = () => Promise.resolve();
    await cluster.time.advance(500);
    expect([held(n1), held(n2)]).toEqual([["first"], ["second"]]);
    await cluster.run(n1.put("k", "third"));
    expect(valuesOf(await cluster.run(n2.get("k")))).toEqual(["third"]);
    expect(n2.siblings("k")?.entries).toHaveLength(2);
  });

  test("that cannot vouch for a key has it minted elsewhere until it is repaired, and then mints as somebody new", async () => {
    const cluster = await open({ options: { recordCacheBytes: 0 } });
    const [n1, n3] = [cluster.node(1), cluster.node(3)];
    await cluster.run(n1.put("k", "first"));
    await cluster.time.advance(100);
    n1.rot("k");
    cluster.requests.length = 0;
    cluster.fate = ({ from }) =>
      cluster.requests.at(-1)?.kind === "read" && from === n1.id ? [] : [LATENCY_MS];
    await cluster.run(n1.put("k", "second"));
    cluster.fate = () => [LATENCY_MS];
    expect(cluster.requests.some(({ kind }) => kind === "mint")).toBe(true);
    expect(n3.siblings("k")?.entries).toHaveLength(2);
    // The repair begins when every write that the node had acknowledged has ended.
    await cluster.time.advance(40_000);
    await cluster.run(n1.put("k", "third"));
    expect(n3.siblings("k")?.entries).toHaveLength(3);
    expect(valuesOf(await cluster.run(n3.get("k")))).toEqual(["third"]);
  });
});
