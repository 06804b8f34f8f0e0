import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startCluster, waitConnected } from "../support/cluster.ts";
import type { Cluster } from "../support/cluster.ts";
import { kv } from "../support/real-kv.ts";

interface Told {
  readonly status: number;
  readonly context: string;
  readonly body: string;
}

async function ask(url: string, init: RequestInit = {}): Promise<Told> {
  const answer = await fetch(url, { redirect: "manual", ...init });
  const context = answer.headers.get("kv-context") ?? "";
  return { status: answer.status, context, body: await answer.text() };
}

function put(url: string, value: string, context?: string): Promise<Told> {
  const headers = context === undefined ? {} : { "kv-context": context };
  return ask(url, { method: "PUT", body: value, headers });
}

/** Values of a 300, sorted. */
function valuesOf({ body }: Told): readonly string[] {
  const siblings = JSON.parse(body) as readonly { value: string | null }[];
  return siblings
    .map(({ value }) => (value === null ? "" : Buffer.from(value, "base64").toString()))
    .toSorted();
}

describe("buckets on three nodes", () => {
  let cluster: Cluster;
  let all = "";
  const node = (id: string) => {
    const found = cluster.nodes[id];
    if (found === undefined) throw new Error(`no node ${id}`);
    return found;
  };
  const keyOn = (id: string, bucket: string) => `${node(id).url}/v1/kv/${bucket}/k`;
  beforeAll(async () => {
    cluster = await startCluster({ nodes: 3 });
    all = cluster.urls.join(",");
  });
  afterAll(() => cluster.stop());

  test("one that is created keeps siblings of two writers until a write with their context, and outlives kill -9 of all nodes", async () => {
    const created = await kv(["bucket", "create", "carts", "--mode", "siblings", "-e", all]);
    expect(created).toMatchObject({ exitCode: 0 });
    await Promise.all([put(keyOn("n1", "carts"), "apples"), put(keyOn("n2", "carts"), "pears")]);
    // Whether they overlapped or not, what follows is the same: blind writes may supersede each other.
    const before = await ask(keyOn("n3", "carts"));
    await put(keyOn("n3", "carts"), "plums", before.context);
    await put(keyOn("n1", "carts"), "figs", before.context);
    const both = await ask(keyOn("n2", "carts"));
    expect([both.status, valuesOf(both)]).toEqual([300, ["figs", "plums"]]);
    expect(await put(keyOn("n1", "carts"), "figs, plums", both.context)).toMatchObject({
      status: 204,
    });
    const nodes = ["n1", "n2", "n3"].map(node);
    await Promise.all(nodes.map((one) => one.kill()));
    for (const one of nodes) one.start();
    await Promise.all(nodes.map((one) => one.waitReady()));
    await Promise.all(nodes.map(waitConnected));
    const merged = await ask(keyOn("n3", "carts"));
    expect([merged.status, merged.body]).toEqual([200, "figs, plums"]);
    const { stdout } = await kv(["bucket", "show", "carts", "-o", "json", "-e", node("n2").url]);
    expect(JSON.parse(stdout.toString())).toMatchObject({ mode: "siblings", n: 3, w: 2 });
  });

  test("a change while a node is down is refused, names it and changes nothing; later it succeeds everywhere", async () => {
    await node("n3").kill();
    const change = ["bucket", "create", "later", "--w", "3"];
    const refused = await kv([...change, "--timeout", "3000", "-e", node("n2").url]);
    expect(refused.exitCode).toBe(5);
    expect(refused.stderr.toString()).toMatch(/n3.*\[members-missing\]/);
    expect((await kv(["bucket", "show", "later", "-e", node("n1").url])).exitCode).toBe(3);
    node("n3").start();
    await node("n3").waitReady();
    await Promise.all(["n1", "n2", "n3"].map(node).map(waitConnected));
    expect((await kv([...change, "-e", node("n2").url])).exitCode).toBe(0);
    for (const id of ["n1", "n2", "n3"]) {
      expect((await put(keyOn(id, "later"), id)).status).toBe(204);
    }
  });

  test("properties are changed, listed, and refused by name; a removed bucket is gone for good", async () => {
    const run = (...argv: string[]) => kv(["bucket", ...argv, "-e", all]);
    await run("create", "short", "--ttl-seconds", "60");
    expect((await run("set", "short", "--ttl-seconds", "none", "--r", "3")).exitCode).toBe(0);
    const { stdout } = await run("ls", "-o", "json");
    const list = JSON.parse(stdout.toString()) as { buckets: readonly { name: string }[] };
    expect(list.buckets.find(({ name }) => name === "short")).toMatchObject({
      r: 3,
      ttlSeconds: null,
    });
    for (const [argv, exitCode, word] of [
      [["create", "bad", "--n", "4"], 2, /n: 4 replicas need as many members, there are 3/],
      [["create", "bad", "--r", "4"], 2, /r: 4 of 3/],
      [["create", "bad", "--siblings-max", "3"], 2, /siblingsMax: only buckets of mode siblings/],
      [["create", "bad", "--durability", "maybe"], 2, /durability: 'maybe'/],
      [["set", "short"], 2, /nothing to change/],
      [["set", "never", "--r", "1"], 3, /there is no bucket 'never'/],
      [["create", "short"], 4, /\[bucket-exists\]/],
      [["rm", "short"], 2, /this removes all keys/],
      [["rm", "default", "--yes"], 2, /always exists/],
    ] as const) {
      const refused = await run(...argv);
      expect([argv, refused.exitCode]).toEqual([argv, exitCode]);
      expect(refused.stderr.toString()).toMatch(word);
    }
    await put(keyOn("n1", "short"), "v");
    expect((await run("rm", "short", "--yes")).exitCode).toBe(0);
    expect((await ask(keyOn("n2", "short"))).status).toBe(404);
    const again = await run("create", "short");
    expect([again.exitCode, /\[bucket-removed\]/.test(again.stderr.toString())]).toEqual([4, true]);
  });
});
