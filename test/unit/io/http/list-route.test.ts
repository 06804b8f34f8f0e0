import { afterEach, describe, expect, test } from "vitest";
import { KvError } from "../../../../src/core/errors.ts";
import { parseKey } from "../../../../src/core/ids.ts";
import type { HttpApi } from "../../../../src/node/io/http/http-api.ts";
import type { ListRequest, ListResult } from "../../../../src/ports/operations.ts";
import { fetchFrom, openApi } from "./api.ts";

const PAGE: ListResult = {
  keys: [Buffer.from("a b/ü"), Buffer.from([0]), Buffer.from([0xff, 0x61])].map(parseKey),
  cursor: "the-cursor",
  quorum: { needed: 2, acked: 3, epoch: 1 },
};

let api: HttpApi | undefined;
const asked: ListRequest[] = [];

afterEach(async () => {
  asked.length = 0;
  await api?.drain();
});

async function ask(
  path: string,
  init: RequestInit = {},
  answer: () => ListResult = () => PAGE,
): Promise<Response> {
  api = await openApi({
    operations: {
      list: async (request) => {
        asked.push(request);
        return answer();
      },
    },
  });
  return fetchFrom(api, path, init);
}

async function codeOf(path: string, init: RequestInit = {}): Promise<unknown> {
  const answer = await ask(path, init);
  const { code } = (await answer.json()) as { code: string };
  return [answer.status, code];
}

describe("GET /v1/kv/{bucket}/", () => {
  test("is a page of keys: text where they are UTF-8, else base64url; with its cursor and quorum", async () => {
    const answer = await ask("/v1/kv/default/");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.headers.get("kv-quorum")).toBe("needed=2, acked=3, epoch=1");
    expect(await answer.json()).toEqual({
      keys: [{ key: "a b/ü" }, { key: "\0" }, { key64: "_2E" }],
      cursor: "the-cursor",
    });
    expect(asked).toEqual([
      {
        bucket: "default",
        prefix: new Uint8Array(0),
        cursor: undefined,
        limit: 1_000,
        r: undefined,
        timeoutMs: undefined,
      },
    ]);
  });

  test("says with a null cursor that it was the last page", async () => {
    const answer = await ask("/v1/kv/default/", {}, () => ({
      ...PAGE,
      keys: [],
      cursor: undefined,
    }));
    expect(await answer.json()).toEqual({ keys: [], cursor: null });
  });

  test("takes any bytes as a prefix, and a limit, a cursor, r and a timeout", async () => {
    await ask("/v1/kv/b-1/?prefix=a%2Fb%00%ff+c&limit=7&cursor=x-y_z&r=all&timeout=500");
    expect(asked).toEqual([
      {
        bucket: "b-1",
        prefix: Uint8Array.from([0x61, 0x2f, 0x62, 0, 0xff, 0x2b, 0x63]),
        cursor: "x-y_z",
        limit: 7,
        r: "all",
        timeoutMs: 500,
      },
    ]);
  });

  test("of HEAD has the headers alone", async () => {
    const answer = await ask("/v1/kv/default/", { method: "HEAD" });
    expect([answer.status, await answer.text()]).toEqual([200, ""]);
    expect(Number(answer.headers.get("content-length"))).toBeGreaterThan(50);
  });

  test.each([
    "limit=0",
    "limit=1001",
    "limit=-1",
    "limit=1e2",
    "limit=",
    "prefix=%f",
    "prefix=%zz",
    `prefix=${"a".repeat(1_025)}`,
    "prefix=a&prefix=b",
    "start=a",
    "reverse",
    "include=value",
    "w=1",
    "explain",
  ])("with %s is 400 before anybody is asked: never ignored", async (query) => {
    expect(await codeOf(`/v1/kv/default/?${query}`)).toEqual([400, "parameter-invalid"]);
    expect(asked).toEqual([]);
  });

  test("takes a prefix of 1,024 bytes, percent-encoded", async () => {
    const answer = await ask(`/v1/kv/default/?prefix=${"%ff".repeat(1_024)}`);
    expect([answer.status, asked[0]?.prefix.byteLength]).toEqual([200, 1_024]);
  });

  test("refuses what it cannot promise, and bucket names that are none", async () => {
    expect(await codeOf("/v1/kv/default/", { headers: { "KV-Session": "x" } })).toEqual([
      400,
      "header-invalid",
    ]);
    expect(await codeOf("/v1/kv/default/", { headers: { "If-Match": "x" } })).toEqual([
      409,
      "conditional-needs-strong-bucket",
    ]);
    expect(await codeOf("/v1/kv/-/")).toEqual([400, "bucket-name-invalid"]);
    expect(await codeOf("/v1/kv//")).toEqual([400, "bucket-name-invalid"]);
  });

  test.each(["PUT", "DELETE"])("is no key: %s there is not allowed", async (method) => {
    expect(await codeOf("/v1/kv/default/", { method })).toEqual([405, "method-not-allowed"]);
  });

  test("that too few replicas answer is 503, and not a page", async () => {
    const answer = await ask("/v1/kv/default/", {}, () => {
      throw new KvError("read-unavailable", "1 of 2", { needed: 2, acked: 1 });
    });
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ code: "read-unavailable", retry: "after" });
  });
});
