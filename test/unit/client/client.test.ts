import { describe, expect, test } from "vitest";
import { KvClient } from "../../../src/client/client.ts";
import { FakeNode, WRITTEN, found, keepsValues, problem } from "../../support/fake-node.ts";
import { textOf } from "../../support/reading.ts";
import { errorOf } from "./support.ts";

describe("what is sent", () => {
  test("a key of any bytes travels as base64url, so '..' and '/' reach the node unchanged", async () => {
    await using node = await FakeNode.open(keepsValues());
    const client = new KvClient({ endpoints: [node.url] });
    const keys = ["..", "a/b c", "ü", new Uint8Array([0, 255])];
    for (const key of keys) await client.put(key, `value of ${String(key)}`);
    for (const key of keys) {
      const read = await client.get(key);
      expect(textOf(read)).toBe(`value of ${String(key)}`);
    }
    expect(node.requests[0]?.path).toBe("/v1/kv64/default/Li4");
    await client.close();
  });

  test("r, w, durability and the bucket are asked of the request; content headers describe the value", async () => {
    await using node = await FakeNode.open(keepsValues());
    const client = new KvClient({ endpoints: [node.url] });
    await client.put("k", "v", {
      bucket: "b.1",
      w: "all",
      durability: "async",
      contentType: "text/plain",
      contentEncoding: "gzip",
      ttlSeconds: 60,
    });
    const read = await client.get("k", { bucket: "b.1", r: 1 });
    await client.delete("k", { bucket: "b.1", w: 2 });
    const [put, get, del] = node.requests;
    expect(put?.path).toBe("/v1/kv64/b.1/aw");
    expect(put?.query.get("w")).toBe("all");
    expect(put?.query.get("durability")).toBe("async");
    expect(put?.query.get("ttl")).toBe("60");
    expect(get?.query.get("r")).toBe("1");
    expect(del?.query.get("w")).toBe("2");
    expect(read).toMatchObject({
      contentType: "text/plain",
      contentEncoding: "gzip",
      etag: '"e1"',
      quorum: { needed: 2, acked: 3, epoch: 1 },
    });
    await client.close();
  });

  test("an empty value is a value, an absent key has none", async () => {
    await using node = await FakeNode.open(keepsValues());
    const client = new KvClient({ endpoints: [node.url] });
    await client.put("empty", "");
    expect(textOf(await client.get("empty"))).toBe("");
    expect(await client.get("absent")).toMatchObject({ kind: "absent", deleted: false });
    await client.close();
  });

  test("the node is asked to answer before the client gives up", async () => {
    await using node = await FakeNode.open(() => WRITTEN);
    const client = new KvClient({ endpoints: [node.url] });
    await client.put("k", "v", { timeoutMs: 300 });
    await client.put("k", "v", { timeoutMs: 200_000 });
    expect(Number(node.requests[0]?.query.get("timeout"))).toBeLessThanOrEqual(270);
    expect(Number(node.requests[0]?.query.get("timeout"))).toBeGreaterThan(200);
    expect(node.requests[1]?.query.get("timeout")).toBe("30000");
    await client.close();
  });

  test("what no key, bucket, write id or header can be is refused before anything is sent", async () => {
    await using node = await FakeNode.open(() => WRITTEN);
    const client = new KvClient({ endpoints: [node.url] });
    expect((await errorOf(client.get(""))).code).toBe("key-invalid");
    expect((await errorOf(client.get("k".repeat(1025)))).code).toBe("key-invalid");
    expect((await errorOf(client.get("\ud800"))).code).toBe("key-invalid");
    expect((await errorOf(client.get("k", { bucket: "No" }))).code).toBe("bucket-name-invalid");
    expect((await errorOf(client.put("k", "v", { writeId: "a b" }))).code).toBe("header-invalid");
    expect(node.requests).toHaveLength(0);
    await client.close();
  });

  test.for(["ftp://h:1", "http://h:1/path", "http://h:1?x", ""])(
    "'%s' is no endpoint",
    (endpoint) => {
      expect(() => new KvClient({ endpoints: [endpoint] })).toThrow("is no endpoint");
    },
  );
});

describe("answers that are not a node's", () => {
  test("a 404 page of another server is not 'no value'", async () => {
    await using node = await FakeNode.open(() => ({
      status: 404,
      headers: { "content-type": "text/html" },
      body: "<h1>Not\n found</h1>",
    }));
    const client = new KvClient({ endpoints: [node.url] });
    const error = await errorOf(client.get("k"));
    expect(error.code).toBe("answer-invalid");
    expect(error.message).toBe("status 404, text/html: <h1>Not found</h1>");
    expect(node.requests).toHaveLength(1);
    await client.close();
  });

  test("a 404 in JSON that only looks like a problem is not 'no value' either", async () => {
    await using node = await FakeNode.open(() => ({
      ...problem("key-not-found"),
      headers: { "content-type": "application/json" },
    }));
    const client = new KvClient({ endpoints: [node.url] });
    expect((await errorOf(client.get("k"))).code).toBe("answer-invalid");
    await client.close();
  });

  test("a 200 or 204 without KV-Quorum is not believed", async () => {
    await using node = await FakeNode.open(({ method }) =>
      method === "GET" ? { status: 200, body: "Welcome to nginx" } : { status: 204 },
    );
    const client = new KvClient({ endpoints: [node.url] });
    expect((await errorOf(client.get("k"))).code).toBe("answer-invalid");
    const error = await errorOf(client.put("k", "v"));
    expect(error).toMatchObject({ code: "answer-invalid", outcome: "unknown" });
    await client.close();
  });

  test("a proxy's 502 page is tried again under the same write id", async () => {
    await using node = await FakeNode.open(
      () => ({ status: 502, headers: { "content-type": "text/html" }, body: "<h1>502</h1>" }),
      () => WRITTEN,
    );
    const client = new KvClient({ endpoints: [node.url] });
    expect((await client.put("k", "v")).attempts).toBe(2);
    expect(node.requests[1]?.headers["kv-attempt"]).toBe("2");
    await client.close();
  });

  test("an error code of a newer node is thrown with its words and its outcome", async () => {
    await using node = await FakeNode.open(() => ({
      status: 409,
      headers: { "content-type": "application/problem+json; charset=utf-8" },
      body: JSON.stringify({ code: "too-new", detail: "of the future", outcome: "not-applied" }),
    }));
    const client = new KvClient({ endpoints: [node.url] });
    expect(await errorOf(client.put("k", "v"))).toMatchObject({
      code: "answer-invalid",
      message: "unknown error code 'too-new': of the future",
      outcome: "not-applied",
    });
    await client.close();
  });

  test("an answer longer than answerBytesMax is refused", async () => {
    await using node = await FakeNode.open(() => found("x".repeat(10_000)));
    const client = new KvClient({ endpoints: [node.url], answerBytesMax: 1_000, attemptsMax: 1 });
    expect((await errorOf(client.get("k"))).message).toContain("exceeded max size");
    await client.close();
  });
});

describe("a node about itself", () => {
  test("cluster() and ready() ask exactly the named endpoint", async () => {
    const status = {
      clusterId: "c",
      node: "n2",
      version: "1",
      state: "ready",
      epoch: 1,
      epochHash: "89abcdef",
      documentVersion: 1,
      partitions: 256,
      members: [],
      buckets: [],
    };
    await using one = await FakeNode.open(() => ({ status: 503, body: "draining\n" }));
    await using two = await FakeNode.open(() => ({ status: 200, body: JSON.stringify(status) }));
    const client = new KvClient({ endpoints: [one.url, two.url] });
    expect(await client.cluster(two.url)).toEqual(status);
    expect(await client.ready(one.url)).toEqual({
      ready: false,
      detail: "status 503, no content type: draining",
    });
    expect((await client.ready(two.url)).ready).toBe(true);
    expect((await errorOf(client.cluster(one.url))).code).toBe("answer-invalid");
    expect((await errorOf(client.cluster("http://127.0.0.1:1"))).code).toBe("option-invalid");
    await client.close();
  });

  test("after close() nothing is taken, and what was under way has ended", async () => {
    await using node = await FakeNode.open(() => WRITTEN);
    const client = new KvClient({ endpoints: [node.url] });
    const underWay = client.put("k", "v");
    await client.close();
    expect((await underWay).attempts).toBe(1);
    expect((await errorOf(client.get("k"))).message).toBe("the client is closed");
    expect(node.requests).toHaveLength(1);
  });
});

test("problem fields arrive in the error: code, outcome, needed, acked, write id", async () => {
  await using node = await FakeNode.open(() =>
    problem("write-unknown", { needed: 2, acked: 1, writeId: "w1", retry: "no" }),
  );
  const client = new KvClient({ endpoints: [node.url] });
  expect(await errorOf(client.put("k", "v", { writeId: "w1" }))).toMatchObject({
    code: "write-unknown",
    status: 504,
    outcome: "unknown",
    data: { needed: 2, acked: 1, writeId: "w1" },
  });
  await client.close();
});
