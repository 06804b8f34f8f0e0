import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KvClient } from "../../src/client/client.ts";
import { startCluster } from "../support/cluster.ts";
import type { Cluster } from "../support/cluster.ts";
import { textOf } from "../support/reading.ts";

const KEYS = 200;

let cluster: Cluster;
let clients: Map<string, KvClient>;

beforeAll(async () => {
  cluster = await startCluster({ nodes: 3 });
  clients = new Map(
    Object.entries(cluster.nodes).map(([id, { url }]) => [
      id,
      new KvClient({ endpoints: [url], attemptsMax: 1 }),
    ]),
  );
});

afterAll(async () => {
  await Promise.all([...clients.values()].map((client) => client.close()));
  await cluster.stop();
});

function via(id: string): KvClient {
  const client = clients.get(id);
  if (client === undefined) throw new Error(`no node ${id}`);
  return client;
}

describe("R + W > N", () => {
  for (const [r, w] of [
    [2, 2],
    [1, 3],
    [3, 1],
  ] as const) {
    test(`every acknowledged write is read through any node at once (N=3 R=${r} W=${w})`, async () => {
      const ids = [...clients.keys()];
      for (let i = 0; i < KEYS; i++) {
        const key = `r${r}w${w}-${i % 20}`;
        const value = `value-${i}`;
        const writer = ids[i % ids.length] ?? "";
        await via(writer).put(key, value, { w });
        const reads = await Promise.all(ids.map((id) => via(id).get(key, { r })));
        expect(reads.map((found) => textOf(found))).toEqual([value, value, value]);
      }
    });
  }
});

describe("R = W = 1", () => {
  test("a read may be stale: a node that missed a write answers from its own replica", async () => {
    const missed = cluster.nodes["n3"];
    if (missed === undefined) throw new Error("no node n3");
    await via("n1").put("stale", "old", { w: 3 });
    await missed.kill();
    await via("n1").put("stale", "new", { w: 1 });
    await missed.restart();

    const stale = await via("n3").get("stale", { r: 1 });
    const fresh = await via("n3").get("stale", { r: 2 });

    expect(textOf(stale)).toBe("old");
    expect(textOf(fresh)).toBe("new");
    // The quorum read wrote the newest version back; it waited for two holders, not for this one.
    await expect.poll(async () => textOf(await via("n3").get("stale", { r: 1 }))).toBe("new");
  });
});
