import { afterEach, describe, expect, test } from "vitest";
import { utf8, utf8Text } from "../../../../src/core/bytes.ts";
import { KvError } from "../../../../src/core/errors.ts";
import { stampOfMs } from "../../../../src/core/hlc.ts";
import { parseActorId, parseWriteId } from "../../../../src/core/ids.ts";
import type { HttpApi } from "../../../../src/node/io/http/http-api.ts";
import type { BatchRequest, BatchResult } from "../../../../src/ports/operations.ts";
import { fetchFrom, openApi } from "./api.ts";

const quorum = { needed: 2, acked: 3, epoch: 1 };
const identity = { stamp: stampOfMs(1_700_000_000_000), writeId: parseWriteId("w-1") };

function found(value: Uint8Array): BatchResult {
  const content = { value, contentType: "text/x", contentEncoding: undefined };
  const actor = parseActorId("a".repeat(24));
  const version = { ...identity, actor, content, expiresAt: undefined };
  return {
    kind: "read",
    result: { version, expired: false, siblings: [], context: undefined, quorum },
  };
}

const WRITTEN: BatchResult = {
  kind: "write",
  result: { version: identity, context: "c", quorum },
};
const ABSENT: BatchResult = {
  kind: "read",
  result: { version: undefined, expired: false, siblings: [], context: undefined, quorum },
};

let api: HttpApi | undefined;
const asked: BatchRequest[] = [];

afterEach(async () => {
  asked.length = 0;
  await api?.drain();
});

async function post(
  body: unknown,
  {
    results = [],
    query = "",
    ...init
  }: RequestInit & { results?: BatchResult[]; query?: string } = {},
): Promise<Response> {
  api = await openApi({
    operations: {
      batch: async (request) => {
        asked.push(request);
        return results;
      },
    },
  });
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return fetchFrom(api, `/v1/batch${query}`, { method: "POST", body: text, ...init });
}

async function resultsOf(answer: Response): Promise<Record<string, unknown>[]> {
  expect(answer.status).toBe(207);
  return ((await answer.json()) as { results: Record<string, unknown>[] }).results;
}

describe("POST /v1/batch", () => {
  test("asks for each operation what its request alone would, with one time for all", async () => {
    const results = [found(utf8("v")), WRITTEN, WRITTEN];
    const operations = [
      { op: "get", bucket: "b.1", key: "a/ü", r: "all" },
      {
        op: "put",
        key64: "AP8",
        value64: "AP+A",
        contentType: "text/x",
        ttl: 60,
        w: 2,
        durability: "async",
        writeId: "w-1",
        attempt: 2,
        context: "seen",
      },
      { op: "delete", key: "k" },
    ];
    await post({ operations }, { results, query: "?timeout=700" });
    expect(asked[0]?.timeoutMs).toBe(700);
    expect(asked[0]?.items).toMatchObject([
      { kind: "read", bucket: "b.1", r: "all" },
      {
        kind: "write",
        bucket: "default",
        content: { contentType: "text/x", contentEncoding: undefined },
        ttlSeconds: 60,
        w: 2,
        durability: "async",
        writeId: "w-1",
        attempt: 2,
        context: "seen",
      },
      { kind: "write", content: undefined, attempt: 1, writeId: undefined, w: undefined },
    ]);
    const [get, put] = asked[0]?.items ?? [];
    expect(get && utf8Text(get.key)).toBe("a/ü");
    expect(put && Buffer.from(put.key)).toEqual(Buffer.from([0, 255]));
    const value = put?.kind === "write" ? put.content?.value : undefined;
    expect(value && Buffer.from(value)).toEqual(Buffer.from([0, 255, 128]));
  });

  test("answers 207 with one result an operation, in order, each with its own status and error", async () => {
    const error = new KvError("write-unknown", "one of two", {
      outcome: "unknown",
      writeId: "w-2",
      needed: 2,
      acked: 1,
    });
    const results = [
      found(utf8("text")),
      found(Uint8Array.of(0xff)),
      ABSENT,
      WRITTEN,
      { kind: "failed", error } as const,
    ];
    const get = { op: "get", key: "k" };
    const put = { op: "put", key: "k", value: "v" };
    const answer = await post({ operations: [get, get, get, put, put] }, { results });
    const etag = expect.stringMatching(/^"[0-9a-z]+-[0-9a-z]+"$/) as string;
    const lastModified = "2023-11-14T22:13:20.000Z";
    const value = {
      status: 200,
      contentType: "text/x",
      etag,
      writeId: "w-1",
      lastModified,
      quorum,
    };
    expect(await resultsOf(answer)).toEqual([
      { ...value, value: "text" },
      { ...value, value64: "/w==" },
      {
        status: 404,
        error: expect.objectContaining({ code: "key-not-found", deleted: false, acked: 3 }),
      },
      { status: 204, writeId: "w-1", etag, context: "c", quorum },
      {
        status: 504,
        error: expect.objectContaining({
          code: "write-unknown",
          outcome: "unknown",
          retry: "same-write-id",
          writeId: "w-2",
        }),
      },
    ]);
  });

  test.each([
    [{ op: "steal", key: "k" }, 400, "request-invalid"],
    [{ key: "k" }, 400, "request-invalid"],
    ["get k", 400, "request-invalid"],
    [null, 400, "request-invalid"],
    [{ op: "get" }, 400, "request-invalid"],
    [{ op: "get", key: "a", key64: "YQ" }, 400, "request-invalid"],
    [{ op: "get", key64: "YQ==" }, 400, "request-invalid"],
    [{ op: "get", key: "\ud800" }, 400, "request-invalid"],
    [{ op: "get", key: "" }, 400, "key-invalid"],
    [{ op: "get", key: "a".repeat(1_025) }, 400, "key-invalid"],
    [{ op: "get", key: "k", bucket: "-" }, 400, "bucket-name-invalid"],
    [{ op: "get", key: "k", w: 1 }, 400, "parameter-invalid"],
    [{ op: "get", key: "k", r: "2&explain" }, 400, "parameter-invalid"],
    [{ op: "get", key: "k", r: 0 }, 400, "parameter-invalid"],
    [{ op: "get", key: "k", value: "v" }, 400, "parameter-invalid"],
    [{ op: "get", key: "k", timeout: 1 }, 400, "parameter-invalid"],
    [{ op: "put", key: "k" }, 400, "request-invalid"],
    [{ op: "put", key: "k", value64: "AP8" }, 400, "request-invalid"],
    [{ op: "put", key: "k", value: "v", ttl: 1.5 }, 400, "parameter-invalid"],
    [{ op: "put", key: "k", value: "v", ttl: null }, 400, "parameter-invalid"],
    [{ op: "put", key: "k", value: "v", contentType: "a\nb" }, 400, "header-invalid"],
    [{ op: "put", key: "k", value: "v", writeId: "a b" }, 400, "header-invalid"],
    [{ op: "put", key: "k", value: "v", attempt: 0 }, 400, "header-invalid"],
    [{ op: "delete", key: "k", ttl: 1 }, 400, "parameter-invalid"],
    [{ op: "delete", key: "k", ifMatch: "*" }, 400, "parameter-invalid"],
  ])("%j is an error of that operation alone", async (wrong, status, code) => {
    const get = { op: "get", key: "k" };
    const answer = await post(
      { operations: [get, wrong, get] },
      { results: [found(utf8("first")), found(utf8("last"))] },
    );
    expect(await resultsOf(answer)).toMatchObject([
      { status: 200, value: "first" },
      { status, error: { code, outcome: "not-applied" } },
      { status: 200, value: "last" },
    ]);
    expect(asked[0]?.items).toHaveLength(2);
  });

  test("of no operations has no results", async () => {
    expect(await resultsOf(await post({ operations: [] }))).toEqual([]);
  });

  test.each([
    ["no JSON", "{", {}, 400, "request-invalid"],
    ["no list", { operations: {} }, {}, 400, "request-invalid"],
    ["no object", "null", {}, 400, "request-invalid"],
    ["an unknown field", { operations: [], atomic: true }, {}, 400, "request-invalid"],
    ["257 operations", { operations: Array(257).fill(1) }, {}, 413, "batch-too-large"],
    ["more than 4 MiB", " ".repeat(4 * 1024 * 1024 + 1), {}, 413, "batch-too-large"],
    ["an unknown parameter", { operations: [] }, { query: "?w=1" }, 400, "parameter-invalid"],
    [
      "one write id for all",
      { operations: [] },
      { headers: { "KV-Write-Id": "w" } },
      400,
      "header-invalid",
    ],
    ["PUT", { operations: [] }, { method: "PUT" }, 405, "method-not-allowed"],
  ] as const)("with %s is refused as a whole", async (_what, body, init, status, code) => {
    const answer = await post(body, init);
    expect([answer.status, await answer.json()]).toMatchObject([status, { code }]);
    expect(asked).toEqual([]);
  });
});
