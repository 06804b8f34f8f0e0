import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { Validator } from "@seriousme/openapi-schema-validator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PROPERTIES } from "../../../../src/core/bucket-properties.ts";
import { base64url, utf8 } from "../../../../src/core/bytes.ts";
import { ERRORS, isErrorCode, KvError } from "../../../../src/core/errors.ts";
import { ROUTES } from "../../../../src/node/io/http/routes.ts";
import { parseRaw, send } from "../../../support/raw-http.ts";
import type { RawRequest, RawResponse } from "../../../support/raw-http.ts";
import { OpenApiDocument } from "./openapi-document.ts";
import type { Operation, Parameter } from "./openapi-document.ts";
import { failing, fullNode, lonelyNode, realNode } from "./openapi-worlds.ts";
import type { World } from "./openapi-worlds.ts";

const api = new OpenApiDocument();
const { operations } = api;
const KEYS = operations.filter(({ path }) => path.includes("{key}"));
const READS = ["GET", "HEAD"];
const WRITES = ["PUT", "DELETE"];
const SIBLINGS_TYPE = "application/vnd.kv.siblings+json";

type Ask = Partial<Omit<RawRequest, "port" | "target">> & {
  readonly bucket?: string;
  readonly key?: string;
  readonly query?: string;
};

/** A well-formed request of this operation, but for what the test says. */
function ask(operation: Operation, port: number, about: Ask = {}): Promise<RawResponse> {
  const { bucket = "default", key = "a/key ü", query = "", ...rest } = about;
  const { method, path } = operation;
  const written = path.startsWith("/v1/kv64/")
    ? base64url(utf8(key))
    : encodeURIComponent(key).replaceAll("%2F", "/");
  const target = path.replace("{bucket}", bucket).replace("{key}", written) + query;
  const body = bodyOf(operation);
  return send({ port, method, target, ...(body !== undefined && { body }), ...rest });
}

function bodyOf({ method, path }: Operation): string | undefined {
  if (method === "POST") return '{"operations": []}';
  if (method !== "PUT") return undefined;
  return path.includes("{key}") ? "value" : "{}";
}

describe("docs/openapi.yaml", () => {
  test("is an OpenAPI 3.1 document by the official schema", async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone(api.root));
    expect(errors).toBeUndefined();
    expect([valid, validator.version]).toEqual([true, "3.1"]);
  });

  test("names every operation once, and refers to nothing that is missing", () => {
    expect(new Set(operations.map(({ id }) => id)).size).toBe(operations.length);
    const refs = [...JSON.stringify(api.root).matchAll(/"\$ref":"#\/([^"]+)"/g)];
    const dangling = refs.filter(([, path = ""]) => {
      const steps = path.split("/");
      return (
        steps.reduce<unknown>(
          (at, step) => (at as Record<string, unknown> | undefined)?.[step],
          api.root,
        ) === undefined
      );
    });
    expect(dangling).toEqual([]);
  });

  test("has the server's routes and methods, and no others", () => {
    const described = operations.map(({ method, path }) => `${method} ${path}`);
    const served = ROUTES.flatMap(({ methods, path }) => methods.map((it) => `${it} ${path}`));
    expect(described.toSorted()).toEqual(served.toSorted());
  });

  test("has the table of errors, each code under its status, 504 for what a deadline ended", () => {
    const table = Object.entries(ERRORS).filter(([, { status }]) => status !== undefined);
    expect(api.schema("Problem")["x-error-codes"]).toEqual(
      Object.fromEntries(
        table.map(([code, { status, outcome, retry }]) => [code, { status, outcome, retry }]),
      ),
    );
    for (const status of new Set(table.map(([, spec]) => Number(spec.status)))) {
      expect([status, codesOf(status)]).toEqual([
        status,
        table
          .filter(([code, spec]) => spec.status === status || (status === 504 && code === DEADLINE))
          .map(([code]) => code)
          .toSorted(),
      ]);
    }
  });

  test("has the properties of a bucket", () => {
    const described = api.schema("BucketProperties")["properties"];
    expect(Object.keys(described as object)).toEqual(Object.keys(PROPERTIES));
  });
});

const DEADLINE = "read-unconfirmed";

function codesOf(status: number): readonly string[] {
  const [, { properties }] = api.schema(`Problem${status}`)["allOf"] as [
    unknown,
    { properties: { code: { enum: string[] }; status: { const: number } } },
  ];
  expect(properties.status.const).toBe(status);
  return properties.code.enum.toSorted();
}

describe("a real node", () => {
  let node: World;
  let lonely: World;
  let full: World;
  let hasty: World;
  /** Answers that calls produced, by operation and status. */
  const produced = new Map<string, number>();
  beforeAll(async () => {
    [node, lonely, full, hasty] = await Promise.all([
      realNode(),
      lonelyNode(),
      fullNode(),
      realNode({ clientHeadersTimeoutMs: "100" }),
    ]);
    for (const [bucket, properties] of Object.entries(BUCKETS)) {
      const body = JSON.stringify(properties);
      const target = `/v1/buckets/${bucket}`;
      await send({ port: node.port, method: "PUT", target, body });
    }
  });
  afterAll(async () => {
    for (const world of [node, lonely, full, hasty]) await world[Symbol.asyncDispose]();
  });

  const BUCKETS = {
    beside: { mode: "siblings", blindWrites: "sibling" },
    narrow: { mode: "siblings", blindWrites: "sibling", siblingsMax: 1 },
    careful: { mode: "siblings", blindWrites: "refuse" },
  };

  /** Calls, judges what comes against the document, and notes that it came. */
  async function expectAnswer(
    operation: Operation,
    status: number,
    about: Ask & { readonly on?: World; readonly schema?: string } = {},
  ): Promise<RawResponse> {
    const { on = node, schema, ...rest } = about;
    return expectAgreed(operation, status, await ask(operation, on.port, rest), schema);
  }

  function expectAgreed(
    operation: Operation,
    status: number,
    answer: RawResponse,
    schema?: string,
  ) {
    expect([operation.id, answer.status, answer.body.slice(0, 400)]).toEqual([
      operation.id,
      status,
      answer.body.slice(0, 400),
    ]);
    expect(api.objections(operation, answer, schema)).toEqual([]);
    const id = `${operation.id} ${status}`;
    produced.set(id, (produced.get(id) ?? 0) + 1);
    return answer;
  }

  const put = (operation: Operation): Operation => sibling(operation, "PUT");
  const remove = (operation: Operation): Operation => sibling(operation, "DELETE");

  describe.each(KEYS.filter(({ method }) => READS.includes(method)))("$id", (operation) => {
    test("tells a value and all that is stored with it, and 304 to who has it", async () => {
      const headers = { "content-type": "text/plain", "content-encoding": "x-none" };
      await expectAnswer(put(operation), 204, { headers, query: "?ttl=60" });
      const answer = await expectAnswer(operation, 200);
      expect(answer.headers).toMatchObject({ ...headers, "kv-expires-at": expect.any(String) });
      const etag = answer.headers.etag ?? "";
      await expectAnswer(operation, 304, { headers: { "if-none-match": etag } });
      await expectAnswer(operation, 304, { headers: { "if-none-match": `"other", W/${etag}` } });
      await expectAnswer(operation, 200, { headers: { "if-none-match": '"other"' } });
    });

    test("tells siblings as they are described, one of them, and 304 for all", async () => {
      const key = `siblings of ${operation.id}`;
      await expectAnswer(put(operation), 204, { bucket: "beside", key });
      await expectAnswer(put(operation), 204, { bucket: "beside", key });
      const all = await expectAnswer(operation, 300, { bucket: "beside", key });
      const { etag = "" } = all.headers;
      const accept = { accept: SIBLINGS_TYPE };
      await expectAnswer(operation, 200, { bucket: "beside", key, headers: accept });
      await expectAnswer(operation, 304, {
        bucket: "beside",
        key,
        headers: { "if-none-match": etag },
      });
      if (operation.method === "HEAD") return;
      const [{ version }] = JSON.parse(all.body) as [{ version: string }];
      await expectAnswer(operation, 200, { bucket: "beside", key, query: `?version=${version}` });
    });

    test("explains", async () => {
      await expectAnswer(operation, 200, { query: "?explain", schema: "Explanation" });
      await expectAnswer(operation, 200, { query: "?explain=placement", schema: "Placement" });
      await expectAnswer(operation, 200, { query: "?explain", on: lonely, schema: "Explanation" });
    });

    test("knows no absent key, no tombstone and no bucket that is not there", async () => {
      await expectAnswer(operation, 404, { key: "nothing" });
      await expectAnswer(operation, 404, { bucket: "beside", key: "nothing" });
      await expectAnswer(remove(operation), 204, { key: "gone" });
      const gone = await expectAnswer(operation, 404, { key: "gone" });
      expect(gone.headers["kv-deleted"]).toBe("true");
      await expectAnswer(operation, 404, { bucket: "none" });
    });

    test("promises no linearizable condition", async () => {
      await expectAnswer(operation, 409, { headers: { "if-match": "x" } });
    });
  });

  describe.each(KEYS.filter(({ method }) => WRITES.includes(method)))("$id", (operation) => {
    test("is acknowledged, with a context in a bucket of siblings", async () => {
      await expectAnswer(operation, 204);
      const answer = await expectAnswer(operation, 204, { bucket: "beside" });
      expect(answer.headers["kv-context"]).toBeDefined();
    });

    test("is refused for what it asks for", async () => {
      await expectAnswer(operation, 400, { headers: { "kv-context": "AAAA" }, bucket: "beside" });
      await expectAnswer(operation, 404, { bucket: "none" });
      await expectAnswer(operation, 409, { headers: { "if-none-match": "*" } });
      const key = `narrow ${operation.id}`;
      await expectAnswer(put(operation), 204, { bucket: "narrow", key });
      await expectAnswer(operation, 409, { bucket: "narrow", key });
      await expectAnswer(operation, 428, { bucket: "careful" });
      const headers = { "kv-write-id": `id-of-${operation.id}` };
      await expectAnswer(put(operation), 204, { headers, body: "one" });
      const body = operation.method === "PUT" ? { body: "other" } : {};
      await expectAnswer(operation, 422, { headers, ...body });
      if (operation.method !== "PUT") return;
      await expectAnswer(operation, 413, { body: "x".repeat(1024 * 1024 + 1) });
    });

    test("is refused without space", async () => {
      await expectAnswer(operation, 507, { on: full });
    });
  });

  test("does nothing without those whom it takes", async () => {
    const needOthers = operations.filter(({ path }) => path.includes("{"));
    await Promise.all(needOthers.map((it) => expectAnswer(it, 503, { on: lonely })));
  });

  test.each(["listKeys", "headKeys"])("%s tells keys by prefix, page by page", async (id) => {
    const [operation, bucket] = [named(id), "beside"];
    for (const key of ["list/a", "list/b", "list/\xff"]) {
      await expectAnswer(named("putKey"), 204, { bucket, key });
    }
    const query = "?prefix=list%2F&limit=2";
    await expectAnswer(operation, 200, { bucket, query });
    await expectAnswer(operation, 200, { bucket });
    await expectAnswer(operation, 400, { bucket, query: "?cursor=AAAA" });
    await expectAnswer(operation, 404, { bucket: "none" });
    await expectAnswer(operation, 409, { headers: { "if-match": "x" } });
    if (operation.method === "HEAD") return;
    const { body } = await expectAnswer(operation, 200, { bucket, query });
    const { keys, cursor } = JSON.parse(body) as { keys: unknown[]; cursor: string };
    expect(keys).toEqual([{ key: "list/a" }, { key: "list/b" }]);
    await expectAnswer(operation, 200, { bucket, query: `${query}&cursor=${cursor}` });
  });

  test("runs batches", async () => {
    const batch = named("batch");
    const operations = [
      { op: "put", bucket: "beside", key: "of a batch", value: "1" },
      { op: "get", bucket: "beside", key: "of a batch" },
      { op: "get", key: "nothing" },
      { op: "nonsense" },
    ];
    const { body } = await expectAnswer(batch, 207, { body: JSON.stringify({ operations }) });
    const { results } = JSON.parse(body) as { results: readonly { status: number }[] };
    expect(results.map(({ status }) => status)).toEqual([204, expect.any(Number), 404, 400]);
    await expectAnswer(batch, 400, { body: "[]" });
    await expectAnswer(batch, 409, { headers: { "if-match": "*" } });
    const many = Array.from({ length: 257 }, () => ({ op: "get", key: "k" }));
    await expectAnswer(batch, 413, { body: JSON.stringify({ operations: many }) });
  });

  test("makes, changes, shows and removes buckets", async () => {
    const [list, headList] = [named("listBuckets"), named("headBuckets")];
    const [get, head] = [named("getBucket"), named("headBucket")];
    const [change, drop] = [named("putBucket"), named("deleteBucket")];
    const bucket = "made";
    await expectAnswer(get, 404, { bucket });
    await expectAnswer(head, 404, { bucket });
    await expectAnswer(change, 404, { bucket, headers: { "if-match": "*" } });
    await expectAnswer(change, 200, { bucket, body: JSON.stringify({ ttlSeconds: 60 }) });
    await expectAnswer(change, 409, { bucket, headers: { "if-none-match": "*" } });
    await expectAnswer(change, 400, { bucket, body: "[]" });
    await expectAnswer(change, 413, { bucket, body: " ".repeat(17 * 1024) });
    for (const operation of [get, head]) await expectAnswer(operation, 200, { bucket });
    await expectAnswer(drop, 204, { bucket });
    await expectAnswer(drop, 204, { bucket });
    await expectAnswer(change, 409, { bucket });
    await expectAnswer(drop, 404, { bucket: "none" });
    for (const operation of [list, headList]) await expectAnswer(operation, 200);
  });

  test.each(operations.filter(({ path }) => /^\/(livez|readyz|metrics|v1\/cluster)$/.test(path)))(
    "shows operators what $id is",
    async (operation) => {
      for (const on of [node, lonely, full]) await expectAnswer(operation, 200, { on });
    },
  );

  test.each(operations)("$id refuses what no operation takes", async (operation) => {
    await expectAnswer(operation, 400, { query: "?nonsense=1" });
    await expectAnswer(operation, 400, { headers: { "kv-nonsense": "1" } });
    await expectAnswer(operation, 414, { query: `?x=${"x".repeat(5_000)}` });
    await expectAnswer(operation, 431, { headers: { "x-long": "x".repeat(20_000) } });
    const unknown = { "kv-request-id": "not an id" };
    const answer = await ask(operation, node.port, { headers: unknown });
    expect(answer.headers["kv-request-id"]).toMatch(/^n1-/);
    const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
    const given = { "kv-request-id": "mine", traceparent };
    const known = await ask(operation, node.port, { headers: given });
    expect(known.headers).toMatchObject(given);
    expect(known.headers["server-timing"]).toMatch(/total;dur=/);
  });

  test("ends requests that are late", async () => {
    const late = operations.map(async (operation) => {
      const socket = connect(hasty.port, "127.0.0.1");
      socket.write(`${operation.method} ${operation.path} HTTP/1.1\r\nHost: n1\r\n`);
      // What the parser has not read to its end has no method yet: also a HEAD is told why.
      expectAgreed(withBody(operation), 408, parseRaw(await text(socket)));
      produced.set(`${operation.id} 408`, 1);
    });
    await Promise.all(late);
  });

  test.each(operations)("$id tells what fails behind the client port", async (operation) => {
    const codes = Object.keys(ERRORS).filter(isErrorCode);
    for (const status of operation.statuses.filter((it) => it >= 429 && it !== 431)) {
      const code = codes.find((it) => ERRORS[it].status === status) ?? "internal";
      const error =
        status === 500 ? new Error("a bug") : new KvError(code, "it fails", { retryAfterMs: 1 });
      // Readiness fails in ways of its own.
      if (operation.path === "/readyz" && status === 503) continue;
      await using world = await failing(error);
      await expectAnswer(operation, status, { on: world });
    }
  });

  test.each(["getReadiness", "headReadiness"])(
    "%s is 503 on a node whose clock is wrong",
    async (id) => {
      await using world = await failing(new Error("never asked"), "the clock is wrong");
      await expectAnswer(named(id), 503, { on: world });
    },
  );

  test("takes a parameter or KV header exactly where the document has it", async () => {
    const all = operations.flatMap(({ parameters }) => parameters);
    const known = new Map(all.map((it) => [`${it.in} ${it.name}`, it]));
    for (const operation of operations) {
      for (const [id, parameter] of known) {
        const about = requestWith(parameter);
        if (about === undefined) continue;
        const { body, status } = await ask(withBody(operation), node.port, about);
        const described = operation.parameters.some((it) => `${it.in} ${it.name}` === id);
        const refused = status === 400 && /"(parameter|header)-invalid"/.test(body);
        expect([operation.id, id, refused, body]).toEqual([operation.id, id, !described, body]);
      }
    }
  });

  test("takes no other method, and has no other path", async () => {
    for (const path of new Set(operations.map((it) => it.path))) {
      const methods = operations.filter((it) => it.path === path).map(({ method }) => method);
      for (const method of ["GET", "POST", "PATCH", "OPTIONS", "TRACE", ...WRITES]) {
        if (methods.includes(method)) continue;
        const { status, headers } = await send({ port: node.port, method, target: path });
        expect([path, method, status]).toEqual([path, method, 405]);
        expect(headers.allow?.split(", ").toSorted()).toEqual(methods.toSorted());
      }
    }
    for (const target of ["/", "/v1", "/v1/kv", "/v2/kv/default/k", "/livez/", "*"]) {
      expect((await send({ port: node.port, target })).status).toBe(404);
    }
  });

  // The last of all: it looks back.
  test("has given every answer that is described", () => {
    const described = operations.flatMap(({ id, statuses }) => statuses.map((it) => `${id} ${it}`));
    expect(described.filter((id) => !produced.has(id))).toEqual([]);
    console.info(`${operations.length} operations, ${described.length} answers described`);
  });
});

function named(id: string): Operation {
  const found = operations.find((operation) => operation.id === id);
  if (found === undefined) throw new Error(`no operation ${id}`);
  return found;
}

/** The same path, another method. */
function sibling({ path }: Operation, method: string): Operation {
  const found = operations.find((it) => it.path === path && it.method === method);
  if (found === undefined) throw new Error(`${path} has no ${method}`);
  return found;
}

/** HEAD says no more than GET does, and GET says why. */
function withBody(operation: Operation): Operation {
  return operation.method === "HEAD" ? { ...operation, method: "GET" } : operation;
}

function requestWith({ name, in: place, example }: Parameter): Ask | undefined {
  const about = { bucket: "beside", key: "of parameters" };
  if (place === "query") return { ...about, query: `?${name}=${example ?? ""}` };
  if (place === "header" && name.startsWith("KV-")) {
    return { ...about, headers: { [name]: String(example) } };
  }
  return undefined;
}
