import { describe, expect, test } from "vitest";
import { KvClient } from "../../../src/client/client.ts";
import type { BatchOperation } from "../../../src/client/client.ts";
import { FakeNode, problem } from "../../support/fake-node.ts";
import type { Reply, SeenRequest } from "../../support/fake-node.ts";

const quorum = { needed: 2, acked: 3, epoch: 1 };

function results(...all: readonly object[]): Reply {
  const headers = { "content-type": "application/json" };
  return { status: 207, headers, body: JSON.stringify({ results: all }) };
}

function sibling(version: string, value: string | null): object {
  return { version, value, writeId: "w", lastModified: "2026-01-01T00:00:00.000Z" };
}

function sent(request: SeenRequest | undefined): Record<string, unknown>[] {
  const body = JSON.parse(String(request?.body)) as { operations: Record<string, unknown>[] };
  return body.operations;
}

const PUT: BatchOperation = { op: "put", key: "k", value: "v" };
const GET: BatchOperation = { op: "get", key: "k" };
const WRITTEN = { status: 204, writeId: "w", etag: '"e"', quorum };

describe("batch", () => {
  test("sends every operation with its options, and each write with a write id", async () => {
    await using node = await FakeNode.open(() =>
      results({ status: 404, error: { code: "key-not-found" } }, WRITTEN, WRITTEN),
    );
    const mintWriteId = () => "minted";
    await using client = new KvClient({ endpoints: [node.url] }, { mintWriteId });
    await client.batch([
      { op: "get", key: new Uint8Array([0, 255]), r: "all", bucket: "b" },
      {
        op: "put",
        key: "ü",
        value: new Uint8Array([255]),
        ttlSeconds: 60,
        w: 2,
        durability: "async",
        contentType: "a",
        contentEncoding: "b",
      },
      { op: "delete", key: "k", writeId: "mine", context: "c1" },
    ]);
    expect(node.requests[0]).toMatchObject({ method: "POST", path: "/v1/batch" });
    expect(node.requests[0]?.headers["kv-write-id"]).toBeUndefined();
    const attempt = 1;
    expect(sent(node.requests[0])).toEqual([
      { op: "get", bucket: "b", key64: "AP8", r: "all" },
      {
        op: "put",
        key: "ü",
        value64: "/w==",
        ttl: 60,
        w: 2,
        durability: "async",
        contentType: "a",
        contentEncoding: "b",
        writeId: "minted",
        attempt,
      },
      { op: "delete", key: "k", writeId: "mine", context: "c1", attempt },
    ]);
  });

  test("has one result an operation, failures among them", async () => {
    const error = {
      code: "write-unknown",
      detail: "one of two",
      outcome: "unknown",
      writeId: "w",
      retry: "same-write-id",
    };
    await using node = await FakeNode.open(() =>
      results(
        { status: 200, value: "ü", contentType: "text/plain", etag: '"e"', writeId: "w", quorum },
        { status: 200, value64: "/w==", quorum },
        { status: 404, error: { code: "key-not-found", deleted: true } },
        WRITTEN,
        { status: 504, error },
        {
          status: 300,
          siblings: [sibling("v2", null), sibling("v1", "YQ==")],
          context: "c1",
          quorum,
        },
      ),
    );
    await using client = new KvClient({ endpoints: [node.url] });
    const found = await client.batch([GET, GET, GET, PUT, PUT, GET]);
    expect(found).toMatchObject([
      { kind: "value", contentType: "text/plain", etag: '"e"', writeId: "w", quorum },
      { kind: "value", quorum },
      { kind: "absent", deleted: true },
      { kind: "written", writeId: "w", etag: '"e"', quorum },
      {
        kind: "failed",
        error: { code: "write-unknown", data: { outcome: "unknown", writeId: "w" } },
      },
      {
        kind: "siblings",
        context: "c1",
        siblings: [{ value: null }, { value: Buffer.from("a"), version: "v1" }],
      },
    ]);
    const values = found.map((one) => (one.kind === "value" ? Buffer.from(one.value) : undefined));
    expect(values.slice(0, 2)).toEqual([Buffer.from("ü"), Buffer.from([255])]);
  });

  test("whose answer was lost is sent again under the same write ids, as a second attempt", async () => {
    await using node = await FakeNode.open(
      () => "reset",
      () => results(WRITTEN, { status: 404, error: { code: "key-not-found" } }),
    );
    await using client = new KvClient({ endpoints: [node.url], backoffMs: 1 });
    expect(await client.batch([PUT, GET])).toMatchObject([{ kind: "written" }, { kind: "absent" }]);
    const [[first], [second]] = node.requests.map(sent) as [object[], object[]];
    expect(second).toEqual({ ...first, attempt: 2 });
    expect(sent(node.requests[1])[1]).not.toHaveProperty("attempt");
  });

  test("whose answers are all lost is in doubt; one of reads alone is not", async () => {
    await using node = await FakeNode.open(() => "reset");
    const options = { endpoints: [node.url], backoffMs: 1, attemptsMax: 2 };
    await using client = new KvClient(options);
    await expect(client.batch([GET, PUT])).rejects.toMatchObject({
      code: "write-unknown",
      outcome: "unknown",
    });
    await expect(client.batch([GET])).rejects.toMatchObject({ outcome: "not-applied" });
  });

  test("that is refused as a whole is an error, and what no key can be is not sent", async () => {
    await using node = await FakeNode.open(() => problem("batch-too-large"));
    await using client = new KvClient({ endpoints: [node.url] });
    await expect(client.batch([PUT])).rejects.toMatchObject({ code: "batch-too-large" });
    await expect(client.batch([{ op: "get", key: "" }])).rejects.toMatchObject({
      code: "key-invalid",
    });
    expect(node.requests).toHaveLength(1);
  });

  test.each([
    ["too few results", results(WRITTEN)],
    ["a result of an unknown form", results(WRITTEN, { status: 200 })],
    ["another status", { ...results(WRITTEN, WRITTEN), status: 200 }],
  ])("an answer with %s is none", async (_what, reply) => {
    await using node = await FakeNode.open(() => reply);
    await using client = new KvClient({ endpoints: [node.url] });
    await expect(client.batch([GET, GET])).rejects.toMatchObject({ code: "answer-invalid" });
  });
});
