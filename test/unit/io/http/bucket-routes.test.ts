import { afterEach, describe, expect, test } from "vitest";
import { parsePeers } from "../../../../src/core/config.ts";
import { KvError } from "../../../../src/core/errors.ts";
import { parseBucketName } from "../../../../src/core/ids.ts";
import { changedDocument } from "../../../../src/core/layout/bucket-change.ts";
import type { BucketChange } from "../../../../src/core/layout/bucket-change.ts";
import { firstClusterDocument } from "../../../../src/core/layout/cluster-document.ts";
import type { HttpApi } from "../../../../src/node/io/http/http-api.ts";
import { fetchFrom, openApi } from "./api.ts";

const FIRST = firstClusterDocument(parsePeers("n1=h1:1,n2=h2:2,n3=h3:3"));

let api: HttpApi | undefined;
afterEach(() => api?.drain());

/** A node whose buckets are changed by nobody else. */
async function open(): Promise<(path: string, init?: RequestInit) => Promise<Response>> {
  let document = FIRST;
  const changeBucket = (change: BucketChange) => {
    document = changedDocument(document, change);
    return Promise.resolve(document);
  };
  const opened = await openApi({ changeBucket });
  api = opened;
  return (path, init) => fetchFrom(opened, path, init);
}

function put(body: unknown, headers: Record<string, string> = {}): RequestInit {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return { method: "PUT", body: text, headers };
}

describe("PUT /v1/buckets/{bucket}", () => {
  test("creates a bucket with what is given, and tells all its properties", async () => {
    const ask = await open();
    const answer = await ask("/v1/buckets/carts", put({ mode: "siblings", w: 3 }));
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({
      documentVersion: 2,
      name: "carts",
      mode: "siblings",
      n: 3,
      r: 2,
      w: 3,
      durability: "sync",
      readRepair: "blocking",
      ttlSeconds: null,
      valueBytesMax: 1024 * 1024,
      blindWrites: "overwrite",
      siblingsMax: 32,
    });
  });

  test("without a body creates one like 'default'", async () => {
    const ask = await open();
    expect((await ask("/v1/buckets/b", { method: "PUT" })).status).toBe(200);
  });

  test("with If-None-Match: * only creates, with If-Match: * only changes", async () => {
    const ask = await open();
    const absent = { "if-none-match": "*" };
    const present = { "if-match": "*" };
    const codes: unknown[] = [];
    for (const init of [
      put({}, present),
      put({}, absent),
      put({ r: 1 }, absent),
      put({ r: 1 }, present),
      put({ r: 1 }, { ...absent, ...present }),
      put({ r: 1 }, { "if-match": '"an-etag"' }),
    ]) {
      const { status, code } = await statusOf(await ask("/v1/buckets/b", init));
      codes.push([status, code]);
    }
    expect(codes).toEqual([
      [404, "bucket-not-found"],
      [200, undefined],
      [409, "bucket-exists"],
      [200, undefined],
      [400, "header-invalid"],
      [400, "header-invalid"],
    ]);
  });

  test.each([
    ["{", 400, "bucket-property-invalid", /JSON/],
    [{ r: 4 }, 400, "bucket-property-invalid", /^r: 4 of 3/],
    [{ w: 4 }, 400, "bucket-property-invalid", /^w: 4 of 3/],
    [{ n: 4 }, 400, "bucket-property-invalid", /^n: 4/],
    [{ consistency: 1 }, 400, "bucket-property-invalid", /^'consistency'/],
    [`{"r":${"1".repeat(17_000)}}`, 413, "value-too-large", /16384/],
  ])("%j is refused by name", async (body, status, code, detail) => {
    const ask = await open();
    const answer = await statusOf(await ask("/v1/buckets/b", put(body)));
    expect(answer).toMatchObject({ status, code, detail: expect.stringMatching(detail) });
  });
});

test.each([
  ["GET", "/v1/buckets/none", 404, "bucket-not-found"],
  ["GET", "/v1/buckets/Upper", 400, "bucket-name-invalid"],
  ["GET", "/v1/buckets?limit=3", 400, "parameter-invalid"],
  ["POST", "/v1/buckets/b", 405, "method-not-allowed"],
  ["PUT", "/v1/buckets", 405, "method-not-allowed"],
  ["DELETE", "/v1/buckets/none", 404, "bucket-not-found"],
  ["DELETE", "/v1/buckets/default", 400, "bucket-property-invalid"],
])("%s %s is %i %s", async (method, path, status, code) => {
  const ask = await open();
  expect(await statusOf(await ask(path, { method }))).toMatchObject({ status, code });
});

test("GET /v1/buckets lists them; HEAD has no body; what was removed is named", async () => {
  const removed = changedDocument(
    changedDocument(FIRST, {
      kind: "put",
      name: parseBucketName("gone"),
      given: {},
      expect: "any",
    }),
    { kind: "remove", name: parseBucketName("gone") },
  );
  api = await openApi({ view: { document: removed } });
  const list: unknown = await (await fetchFrom(api, "/v1/buckets")).json();
  expect(list).toMatchObject({
    documentVersion: 3,
    buckets: [{ name: "default", mode: "lww" }],
    removed: ["gone"],
  });
  const head = await fetchFrom(api, "/v1/buckets/default", { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
});

test("an error of the change keeps its outcome", async () => {
  const failed = new KvError("change-unknown", "missing: n3 (deadline)");
  api = await openApi({ changeBucket: () => Promise.reject(failed) });
  const answer = await statusOf(await fetchFrom(api, "/v1/buckets/b", put({})));
  expect(answer).toMatchObject({ status: 504, code: "change-unknown", outcome: "unknown" });
});

interface Problem {
  readonly code?: string;
  readonly detail?: string;
  readonly outcome?: string;
}

async function statusOf(answer: Response): Promise<Problem & { readonly status: number }> {
  return { ...((await answer.json()) as Problem), status: answer.status };
}
