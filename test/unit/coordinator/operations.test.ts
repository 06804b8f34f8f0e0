import { describe, expect, test } from "vitest";
import { utf8 } from "../../../src/core/bytes.ts";
import { valueOf, VirtualCluster, writeIdOf } from "../../support/virtual-cluster.ts";

describe("PUT, GET and DELETE (N=3 R=W=2)", () => {
  test.each([1, 2, 3])("a value put through n%i is read through every node", async (via) => {
    const cluster = await VirtualCluster.open();
    const content = {
      value: utf8("a value"),
      contentType: "text/plain",
      contentEncoding: "gzip",
    };
    const writeId = writeIdOf("write-1");
    const written = await cluster.run(cluster.node(via).put("k", "", { content, writeId }));
    expect(written.version).toEqual({ stamp: expect.any(Number), writeId });
    expect(written.quorum).toEqual({ needed: 2, acked: expect.any(Number), epoch: 1 });
    expect(written.quorum.acked).toBeGreaterThanOrEqual(2);
    for (const node of cluster.nodes) {
      const { version, quorum } = await cluster.run(node.get("k"));
      expect(version?.stamp).toBe(written.version.stamp);
      expect(version?.actor).toBe(cluster.node(via).actor);
      expect(version?.content).toMatchObject({
        contentType: "text/plain",
        contentEncoding: "gzip",
      });
      expect(valueOf({ version })).toBe("a value");
      expect(quorum).toEqual({ needed: 2, acked: 2, epoch: 1 });
    }
  });

  test("a key that was never written is absent through every node, by two answers", async () => {
    const cluster = await VirtualCluster.open();
    for (const node of cluster.nodes) {
      const { version, quorum } = await cluster.run(node.get("nothing"));
      expect(version).toBeUndefined();
      expect(quorum.acked).toBe(2);
    }
  });

  test("a deleted key is a version without content through every node, and can be put again", async () => {
    const cluster = await VirtualCluster.open();
    await cluster.run(cluster.node(1).put("k", "old"));
    const deleted = await cluster.run(cluster.node(2).delete("k"));
    for (const node of cluster.nodes) {
      const { version } = await cluster.run(node.get("k"));
      expect(version).toBeDefined();
      expect(version?.content).toBeUndefined();
      expect(version?.stamp).toBe(deleted.version.stamp);
    }
    await cluster.run(cluster.node(3).put("k", "new"));
    for (const node of cluster.nodes) expect(valueOf(await cluster.run(node.get("k")))).toBe("new");
  });

  test("deleting what was never there writes a tombstone", async () => {
    const cluster = await VirtualCluster.open();
    await cluster.run(cluster.node(1).delete("nothing"));
    const { version } = await cluster.run(cluster.node(2).get("nothing"));
    expect(version).toMatchObject({ content: undefined });
  });

  test("an empty value is a value", async () => {
    const cluster = await VirtualCluster.open();
    await cluster.run(cluster.node(1).put("k", ""));
    const { version } = await cluster.run(cluster.node(2).get("k"));
    expect(version?.content?.value).toHaveLength(0);
  });

  test("keys do not touch each other", async () => {
    const cluster = await VirtualCluster.open();
    const keys = Array.from({ length: 40 }, (_, i) => `key-${i}`);
    await cluster.run(Promise.all(keys.map((key, i) => cluster.node((i % 3) + 1).put(key, key))));
    const reads = keys.map((key, i) => cluster.node(((i + 1) % 3) + 1).get(key));
    expect((await cluster.run(Promise.all(reads))).map(valueOf)).toEqual(keys);
  });

  test("a write reaches all three replicas, which then hold the same bytes", async () => {
    const cluster = await VirtualCluster.open();
    await cluster.run(cluster.node(1).put("k", "value"));
    await cluster.time.advance(100);
    const [one, two, three] = cluster.nodes.map((node) => node.record("k")?.bytes);
    expect(one).toBeDefined();
    expect(two).toEqual(one);
    expect(three).toEqual(one);
  });

  test("writes of one key through all nodes at once leave the same bytes everywhere", async () => {
    const cluster = await VirtualCluster.open({ wallOffsetsMs: [0, 30, -30] });
    const delays = cluster.rng.fork("delays");
    cluster.fate = () => [delays.below(40)];
    const writes = Array.from({ length: 30 }, (_, i) =>
      cluster.node((i % 3) + 1).put("k", `value ${i}`),
    );
    const stamps = (await cluster.run(Promise.all(writes))).map(({ version }) => version.stamp);
    await cluster.time.advance(1_000);
    const [one, two, three] = cluster.nodes.map((node) => node.record("k")?.bytes);
    expect(two).toEqual(one);
    expect(three).toEqual(one);
    const newest = stamps.toSorted((a, b) => b - a)[0];
    expect(cluster.node(1).record("k")?.version.stamp).toBe(newest);
    expect(cluster.stored("k")[0]).toBe(`value ${stamps.findIndex((stamp) => stamp === newest)}`);
  });

  test("r and w take a number, one, quorum and all", async () => {
    const cluster = await VirtualCluster.open();
    const choices = [
      ["one", 1],
      ["quorum", 2],
      ["all", 3],
      [1, 1],
      [2, 2],
      [3, 3],
    ] as const;
    for (const [choice, needed] of choices) {
      const written = await cluster.run(cluster.node(1).put("k", "value", { w: choice }));
      expect(written.quorum.needed).toBe(needed);
      expect(written.quorum.acked).toBeGreaterThanOrEqual(needed);
      await cluster.time.advance(100);
      const read = await cluster.run(cluster.node(2).get("k", { r: choice }));
      expect(read.quorum.needed).toBe(needed);
      expect(read.quorum.acked).toBeGreaterThanOrEqual(needed);
      expect(valueOf(read)).toBe("value");
    }
  });
});

describe("a coordinator outside the preference list (5 nodes, N=3)", () => {
  test("puts, reads and deletes, and holds nothing itself", async () => {
    const cluster = await VirtualCluster.open({ nodes: 5 });
    const key = cluster.keyOf(cluster.node(1), cluster.node(2), cluster.node(3));
    const [n4, n5] = [cluster.node(4), cluster.node(5)];
    for (const outsider of [n4, n5]) {
      const value = `from ${outsider.id}`;
      await cluster.run(outsider.put(key, value));
      await cluster.time.advance(100);
      expect(cluster.stored(key)).toEqual([value, value, value, undefined, undefined]);
      for (const node of cluster.nodes) {
        expect(valueOf(await cluster.run(node.get(key)))).toBe(value);
      }
    }
    await cluster.run(n4.delete(key));
    const { version } = await cluster.run(n5.get(key));
    expect(version).toMatchObject({ content: undefined });
  });

  test("asks nobody but replicas", async () => {
    const cluster = await VirtualCluster.open({ nodes: 5 });
    const key = cluster.keyOf(cluster.node(2), cluster.node(3), cluster.node(1));
    await cluster.run(cluster.node(5).put(key, "value"));
    await cluster.run(cluster.node(4).get(key));
    const asked = new Set(cluster.requests.map(({ to }) => to));
    expect([...asked].toSorted()).toEqual(["n1", "n2", "n3"]);
  });
});

describe("learn, mint, write", () => {
  test("no replica is sent a write before L of them were asked for the newest stamp and answered", async () => {
    const cluster = await VirtualCluster.open({ nodes: 5 });
    const key = cluster.keyOf(cluster.node(1), cluster.node(2), cluster.node(3));
    let answers = 0;
    const answersBeforeWrite: number[] = [];
    cluster.fate = ({ leg }) => {
      if (leg === "answer") answers += 1;
      if (cluster.requests.at(-1)?.kind === "write" && leg === "request") {
        answersBeforeWrite.push(answers);
      }
      return [7];
    };
    await cluster.run(cluster.node(5).put(key, "value"));
    expect(cluster.requests.map(({ kind }) => kind)).toEqual([
      "learn",
      "learn",
      "write",
      "write",
      "write",
    ]);
    expect(answersBeforeWrite).toEqual([2, 2, 2]);
  });

  test("clocks 60 s apart: a later write supersedes an earlier one, whoever coordinates", async () => {
    const cluster = await VirtualCluster.open({ wallOffsetsMs: [60_000, 0, -60_000] });
    const order = [1, 3, 2, 3, 1, 2, 2, 3, 1];
    let last = 0;
    for (const [i, via] of order.entries()) {
      const { version } = await cluster.run(cluster.node(via).put("k", `value ${i}`));
      expect(version.stamp).toBeGreaterThan(last);
      last = version.stamp;
      for (const node of cluster.nodes) {
        expect(valueOf(await cluster.run(node.get("k")))).toBe(`value ${i}`);
      }
    }
  });

  test("clocks 60 s apart: a delete through the slow node hides a value of the fast one", async () => {
    const cluster = await VirtualCluster.open({ wallOffsetsMs: [60_000, 0, -60_000] });
    await cluster.run(cluster.node(1).put("k", "fast"));
    await cluster.run(cluster.node(3).delete("k"));
    const { version } = await cluster.run(cluster.node(2).get("k"));
    expect(version).toMatchObject({ content: undefined });
  });

  test("a stamp above the own clock is used for that key only", async () => {
    const cluster = await VirtualCluster.open({ wallOffsetsMs: [60_000, 0, 0] });
    const fast = await cluster.run(cluster.node(1).put("k", "fast"));
    const above = await cluster.run(cluster.node(2).put("k", "above"));
    const other = await cluster.run(cluster.node(2).put("other", "own clock"));
    expect(above.version.stamp).toBe(fast.version.stamp + 1);
    expect(other.version.stamp).toBeLessThan(fast.version.stamp - 59_000 * 2048);
  });

  test("a wall clock that jumps back stops no node from being read", async () => {
    const cluster = await VirtualCluster.open();
    const before = await cluster.run(cluster.node(1).put("k", "before"));
    cluster.node(1).clock.wallOffsetMs = -3_600_000;
    const after = await cluster.run(cluster.node(1).put("k", "after"));
    expect(after.version.stamp).toBeGreaterThan(before.version.stamp);
    expect(valueOf(await cluster.run(cluster.node(2).get("k")))).toBe("after");
  });
});

describe("R=W=1 promises little", () => {
  test("a read of another replica may miss an acknowledged write, and sees it later", async () => {
    const cluster = await VirtualCluster.open({ bucket: { r: 1, w: 1 } });
    await cluster.run(cluster.node(1).put("k", "old"));
    await cluster.time.advance(100);
    cluster.fate = () => [cluster.requests.at(-1)?.kind === "write" ? 500 : 1];
    await cluster.run(cluster.node(1).put("k", "new"));
    expect(valueOf(await cluster.run(cluster.node(1).get("k")))).toBe("new");
    expect(valueOf(await cluster.run(cluster.node(3).get("k")))).toBe("old");
    await cluster.time.advance(1_000);
    expect(valueOf(await cluster.run(cluster.node(3).get("k")))).toBe("new");
  });
});
