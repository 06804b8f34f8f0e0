import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KvClient } from "../../src/client/client.ts";
import { startCluster, waitConnected } from "../support/cluster.ts";
import type { Cluster } from "../support/cluster.ts";
import { kv } from "../support/real-kv.ts";

const KEYS = Array.from({ length: 2_000 }, (_, i) => `user/${String(i).padStart(4, "0")}`);
const WRITERS = 32;

async function forEach(
  keys: readonly string[],
  act: (key: string) => Promise<unknown>,
): Promise<void> {
  const left = keys.values();
  const work = async (): Promise<void> => {
    for (const key of left) await act(key);
  };
  await Promise.all(Array.from({ length: WRITERS }, work));
}

async function listed(client: KvClient, pageLimit: number, prefix = ""): Promise<unknown[]> {
  const keys: unknown[] = [];
  for await (const page of client.list({ prefix, pageLimit })) keys.push(...page.keys);
  return keys;
}

describe("a listing of three nodes (N=3 R=W=2)", () => {
  let cluster: Cluster;
  let client: KvClient;
  beforeAll(async () => {
    cluster = await startCluster({ nodes: 3 });
    client = new KvClient({ endpoints: cluster.urls, timeoutMs: 20_000 });
  });
  afterAll(async () => {
    await client.close();
    await cluster.stop();
  });

  test("has 2,000 keys once and in order, and none that was deleted, also with a node down and when it is back behind", async () => {
    await forEach(KEYS, (key) => client.put(key, `value of ${key}`));
    expect(await listed(client, 1_000)).toEqual(KEYS);

    const { n3 } = cluster.nodes;
    if (n3 === undefined) throw new Error("there are three nodes");
    await n3.kill();
    const deleted = KEYS.filter((_, i) => i % 4 === 0);
    await forEach(deleted, (key) => client.delete(key));
    await forEach(["zzz/1", "zzz/2"], (key) => client.put(key, "late"));
    const left = KEYS.filter((_, i) => i % 4 !== 0);
    expect(await listed(client, 150, "user/")).toEqual(left);
    expect(await listed(client, 150)).toEqual([...left, "zzz/1", "zzz/2"]);

    // It has missed 500 deletes and two puts, and no read has told it of them.
    await n3.restart();
    await n3.waitReady();
    await waitConnected(n3);
    await using behind = new KvClient({ endpoints: [n3.url], timeoutMs: 20_000 });
    expect(await listed(behind, 1_000)).toEqual([...left, "zzz/1", "zzz/2"]);
  });

  test("kv ls prints what begins with a prefix, and its lines name keys for kv export", async () => {
    await forEach(["cart/a", "cart/b", "cart/ü 🙂"], (key) => client.put(key, key));
    const all = cluster.urls.join(",");
    const { stdout } = await kv(["ls", "--prefix", "cart/", "-e", all]);
    expect(stdout.toString()).toBe("cart/a\ncart/b\ncart/ü 🙂\n");
    const first = await kv(["ls", "--limit", "1", "-e", all]);
    expect(first.stdout.toString()).toBe("cart/a\n");
    const rows = await kv(["ls", "--prefix", "cart/", "-o", "jsonl", "-e", all]);
    const exported = await kv(["export", "-", "--keys", "-", "-e", all], { stdin: rows.stdout });
    expect(exported.exitCode).toBe(0);
    const values = exported.stdout.toString().trimEnd().split("\n");
    expect(values.map((line) => (JSON.parse(line) as { value: string }).value).toSorted()).toEqual([
      "cart/a",
      "cart/b",
      "cart/ü 🙂",
    ]);
  });

  test("with two of three nodes down is an error, never a short list", async () => {
    await Promise.all([cluster.nodes["n2"]?.kill(), cluster.nodes["n3"]?.kill()]);
    const answer = await fetch(`${cluster.urls[0]}/v1/kv/default/?timeout=1000`);
    const { code } = (await answer.json()) as { code: string };
    expect([503, 504]).toContain(answer.status);
    expect(["read-unavailable", "read-timeout"]).toContain(code);
    const ran = await kv(["ls", "--timeout", "1500", "-e", cluster.urls[0] ?? ""]);
    expect(ran.stdout).toHaveLength(0);
    expect([5, 6]).toContain(ran.exitCode);
  });
});
