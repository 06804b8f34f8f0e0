import { Agent } from "node:http";
import { describe, expect, test } from "vitest";
import type { FrontProgram } from "../support/front.ts";
import { expectProblem, frontStubs } from "../support/fronted-stubs.ts";
import { describeFronts, HAPROXY, NGINX } from "../support/fronts.ts";
import { needs } from "../support/needs.ts";
import { send, sendBytes } from "../support/raw-http.ts";
import type { RawResponse } from "../support/raw-http.ts";

const KEY = "/v1/kv/b/k";
const MiB = 1024 * 1024;
const DONE = { status: 204 };
const FOUND = { status: 200, body: "value" };

/** Header lines of a request whose connection the proxy closes after its answer. */
const HOST = "Host: kv\r\nConnection: close\r\n";
const CHUNKED = `${HOST}Transfer-Encoding: chunked\r\n\r\n`;

/** It never becomes a request in HAProxy, which so has no document of ours for it. */
function expectUnparsed(program: FrontProgram, response: RawResponse, members: object): void {
  expect(response.status).toBe(400);
  if (program === NGINX) expectProblem(response, "request-invalid", { ...members });
}

type Named = readonly [name: string, text: string];

/** nginx decodes a path to judge it. HAProxy does not, and a node takes these for keys. */
const DECODED: readonly Named[] = [
  ["dot segments out of the keys", "/v1/kv/b/../../../metrics"],
  ["encoded dot segments out of the keys", "/v1/kv/%2e%2e/%2E%2e/metrics"],
  ["encoded slashes between them", "/v1/kv/b/..%2f..%2f..%2fmetrics"],
];

const JUDGED_BY_NGINX: readonly Named[] = [
  ["NUL in the path", `GET /v1/kv/b/%00 HTTP/1.1\r\n${HOST}\r\n`],
  ["a broken escape", `GET /v1/kv/b/%zz HTTP/1.1\r\n${HOST}\r\n`],
  ["a path above the root", `GET /v1/../../x HTTP/1.1\r\n${HOST}\r\n`],
  ["an unknown version", `GET ${KEY} HTTP/9.0\r\n${HOST}\r\n`],
];

/** nginx mints 32 digits, HAProxy a UUID. */
const MINTED = /^[0-9a-f-]{32,36}$/;

describeFronts("what reaches a node", (program) => {
  test.each([
    ["%2F in a key", "/v1/kv/b/a%2Fb"],
    ["//", "/v1/kv/b/a//b//"],
    ["// as a segment that .. takes back", "/v1/kv/b//%2e%2e/%2e%2e/k"],
    ["an encoded dot segment that stays below the route", "/v1/kv/b/x/%2e%2E/y"],
    ["a trailing slash", "/v1/kv/b/k/"],
    ["lower and upper case escapes", "/v1/kv/b/%e2%82%AC"],
    ["an escape that needs none", "/v1/kv/b/%6B"],
    ["kv64", "/v1/kv64/b/AP8"],
    ["a query", "/v1/kv/b/k?r=1&w=all&timeout=250"],
    ["a key with & and a word of ours", "/v1/kv/b/a&explain"],
    ["a key of 1,024 bytes, all percent-encoded", `/v1/kv/b/${"%C3".repeat(1024)}`],
  ])("the target reaches the node byte for byte: %s", async (_name, target) => {
    const { port, deliveries } = await frontStubs(program, () => DONE);
    await send({ port, target });
    await send({ port, method: "PUT", target, body: "v" });
    expect(deliveries.map((delivery) => delivery.target)).toEqual([target, target]);
  });

  test("a write without KV-Write-Id gets one, the client's own stays, reads get none", async () => {
    const { port, deliveries } = await frontStubs(program, () => DONE);
    const headers = { "KV-Write-Id": "cart:17.a_b-c" };
    await send({ port, method: "PUT", target: KEY, body: "v" });
    await send({ port, method: "DELETE", target: KEY });
    await send({ port, method: "PUT", target: KEY, headers, body: "v" });
    await send({ port, method: "DELETE", target: KEY, headers });
    await send({ port, target: KEY });
    await send({ port, method: "HEAD", target: KEY });
    const ids = deliveries.map((delivery) => delivery.headers["kv-write-id"]);
    const supplied = expect.stringMatching(MINTED);
    const own = headers["KV-Write-Id"];
    expect(ids).toEqual([supplied, supplied, own, own, undefined, undefined]);
    expect(ids[0]).not.toBe(ids[1]);
  });

  test("a request has one KV-Request-Id at the proxy and at the node: the client's, if it is one", async () => {
    const { front, port, deliveries } = await frontStubs(program, () => "reset");
    const instances: unknown[] = [];
    for (const id of ["req-1", 'no"id', ""]) {
      const response = await send({ port, target: KEY, headers: { "KV-Request-Id": id } });
      expect(response.headers["kv-request-id"]).toMatch(id === "req-1" ? /^req-1$/ : MINTED);
      instances.push(JSON.parse(response.body).instance);
      await front.accessLog(instances.length);
    }
    const delivered = deliveries.map(({ headers }) => headers["kv-request-id"]);
    expect(delivered).toEqual(instances.flatMap((instance) => [instance, instance]));
    const logged = (await front.accessLog(3)).map((line) => line["request_id"]);
    expect(logged).toEqual(instances);
  });

  test("an answer's ETag, 4 KiB of context and 4 KiB of session arrive as the node sent them", async () => {
    const headers = {
      "content-type": "text/html",
      etag: '"0f0f"',
      "kv-context": "c".repeat(4096),
      "kv-session": "s".repeat(4096),
    };
    const { port, deliveries } = await frontStubs(program, () => ({
      ...FOUND,
      headers,
      body: "v".repeat(999),
    }));
    const response = await send({
      port,
      target: KEY,
      headers: { "accept-encoding": "gzip", ...headers },
    });
    expect(response.headers).toMatchObject(headers);
    expect(response.headers["content-encoding"]).toBeUndefined();
    expect(response.body).toHaveLength(999);
    expect(deliveries[0]?.headers).toMatchObject(headers);
  });

  test("a listing passes like a read, its query byte for byte, and is tried on a second node", async () => {
    const { port, deliveries } = await frontStubs(program, () =>
      deliveries.length === 1 ? "reset" : FOUND,
    );
    const target = "/v1/kv/b/?prefix=a%2Fb%00%ff&limit=7&cursor=x-_";
    expect((await send({ port, target })).status).toBe(200);
    expect(deliveries.map((delivery) => delivery.target)).toEqual([target, target]);
  });

  test("90 requests are spread over the nodes and reuse one connection to each", async () => {
    const { port, nodes, deliveries } = await frontStubs(program, () => FOUND);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 }); // one client connection, one worker
    for (let nth = 0; nth < 90; nth += 1) await send({ port, target: KEY, agent });
    agent.destroy();
    for (const { address, connectionsUsed } of nodes) {
      expect(deliveries.filter(({ node }) => node === address).length).toBeGreaterThan(5);
      expect(connectionsUsed()).toBe(1);
    }
  });
});

describe.skipIf(!needs("nginx"))("nginx: batches", () => {
  test("a batch of up to 4 MiB reaches one node as it was sent, without a write id of nginx's", async () => {
    const { port, deliveries } = await frontStubs(NGINX, () => ({ status: 207, body: "{}" }));
    const body = "x".repeat(4 * MiB);
    const target = "/v1/batch?timeout=5000";
    expect((await send({ port, method: "POST", target, body })).status).toBe(207);
    expect(deliveries.map(({ method, target: at }) => [method, at])).toEqual([["POST", target]]);
    expect(deliveries[0]?.body.equals(Buffer.from(body))).toBe(true);
    expect(deliveries[0]?.headers["kv-write-id"]).toBeUndefined();
    const larger = await send({ port, method: "POST", target, body: `${body}x` });
    expect([larger.status, deliveries.length]).toEqual([413, 1]);
  });

  test("a batch that a node did not answer is not repeated, and its outcome is unknown", async () => {
    const { port, deliveries } = await frontStubs(NGINX, () => "reset");
    const response = await send({ port, method: "POST", target: "/v1/batch", body: "{}" });
    expectProblem(response, "gateway-unavailable", {
      outcome: "unknown",
      retry: "same-write-id",
    });
    expect(deliveries).toHaveLength(1);
  });

  test.each(["/v1/batch/", "/v1/batches", "/metrics/../v1/batch", "/v1/%62atch", "/v1/kv/b/k"])(
    "POST %s reaches no node",
    async (target) => {
      const { port, deliveries } = await frontStubs(NGINX, () => DONE);
      const { status } = await send({ port, method: "POST", target, body: "{}" });
      expect([404, 405]).toContain(status);
      expect(deliveries).toEqual([]);
    },
  );
});

describeFronts("what does not", (program) => {
  test.each([
    ["the root", "/"],
    ["nodes' health", "/livez"],
    ["nodes' readiness", "/readyz"],
    ["metrics", "/metrics"],
    ["operators' routes", "/v1/cluster"],
    ["a route that is no key", "/v1/kvx/b/k"],
    ["the route without its slash", "/v1/kv"],
    ["a doubled slash before the route", "//v1/kv/b/k"],
    ["a proxy's own document", "/problem"],
    ["encoded dot segments alone", "/%2e%2e/metrics"],
    ["dot segments from elsewhere into the keys", "/metrics/../v1/kv/b/k"],
    ["encoded ones from elsewhere into the keys", "/v1/cluster/%2e%2e/kv/b/k"],
    ["an encoded route", "/%761/kv/b/k"],
    ["explain", "/v1/kv/b/k?explain"],
    ["explain among others", "/v1/kv/b/k?r=1&explain&w=1"],
    ["explain with a value", "/v1/kv/b/k?explain=1"],
    ["explain in other letters", "/v1/kv/b/k?%65xpl%61in"],
    ["explain of kv64", "/v1/kv64/b/AP8?explain"],
    ...(program === NGINX ? DECODED : []),
  ] satisfies Named[])("no node sees %s: %s", async (_name, target) => {
    const { port, deliveries } = await frontStubs(program, () => DONE);
    const response = await send({ port, target });
    // Above the root and fragments are malformed targets, not unknown routes.
    if (response.status === 400) expectProblem(response, "request-invalid");
    else expectProblem(response, "route-not-found");
    const put = await send({ port, method: "PUT", target, body: "v" });
    expect(put.status).toBe(response.status);
    expect(deliveries).toHaveLength(0);
  });

  test("?explanation and ?x=explain are parameters like others: the node judges them", async () => {
    const { port, deliveries } = await frontStubs(program, () => DONE);
    for (const query of ["explanation", "x=explain", "x=1?explain2", "unexplain=1"]) {
      await send({ port, target: `${KEY}?${query}` });
    }
    expect(deliveries).toHaveLength(4);
  });

  test.each(["POST", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])(
    "%s is refused with the methods that a key takes",
    async (method) => {
      const { port, deliveries } = await frontStubs(program, () => DONE);
      const bytes = `${method} ${KEY} HTTP/1.1\r\n${HOST}\r\n`;
      const response = await sendBytes({ port, bytes });
      expectProblem(response, "method-not-allowed");
      expect(response.headers["allow"]).toBe("GET, HEAD, PUT, DELETE");
      expect(deliveries).toHaveLength(0);
    },
  );

  test("/healthz answers for the proxy alone", async () => {
    const { port, deliveries } = await frontStubs(program, () => DONE);
    expect(await send({ port, target: "/healthz" })).toMatchObject({ status: 200 });
    expect(deliveries).toHaveLength(0);
  });
});

describeFronts("limits and malformed requests", (program) => {
  test("a value of 1 MiB passes, one byte more is 413", async () => {
    const { port, deliveries } = await frontStubs(program, () => DONE);
    const value = Buffer.alloc(MiB, "v");
    const most = await send({ port, method: "PUT", target: KEY, body: value });
    expect(most.status).toBe(204);
    expect(deliveries[0]?.body.equals(value)).toBe(true);

    const headers = { "KV-Write-Id": "w-1", "Content-Length": MiB + 1 };
    const more = await send({
      port,
      method: "PUT",
      target: KEY,
      headers,
      body: Buffer.alloc(MiB + 1, "v"),
    });
    expectProblem(more, "value-too-large", { writeId: "w-1" });
    expect(deliveries).toHaveLength(1);
  });

  test("a chunked value passes up to 1 MiB too", async () => {
    const { port, deliveries } = await frontStubs(program, () => DONE);
    const chunked = (length: number): string =>
      `PUT ${KEY} HTTP/1.1\r\nKV-Write-Id: w-1\r\n${CHUNKED}` +
      `${length.toString(16)}\r\n${"v".repeat(length)}\r\n0\r\n\r\n`;
    expect(await sendBytes({ port, bytes: chunked(MiB) })).toMatchObject({ status: 204 });
    expect(deliveries[0]?.body).toHaveLength(MiB);
    const more = await sendBytes({ port, bytes: chunked(MiB + 1) });
    expectProblem(more, "value-too-large", { writeId: "w-1" });
    expect(deliveries).toHaveLength(1);
  });

  test.each([
    ["no Host", `GET ${KEY} HTTP/1.1\r\nConnection: close\r\n\r\n`],
    ...(program === NGINX ? JUDGED_BY_NGINX : []),
  ] satisfies Named[])("%s is 400", async (_name, bytes) => {
    const { port, deliveries } = await frontStubs(program, () => DONE);
    expectProblem(await sendBytes({ port, bytes }), "request-invalid");
    expect(deliveries).toHaveLength(0);
  });

  test.each([
    ["no HTTP", "hello\r\n\r\n"],
    ["a fragment", `GET ${KEY}#f HTTP/1.1\r\n${HOST}\r\n`],
    ["explain behind a fragment", `GET ${KEY}#?explain HTTP/1.1\r\n${HOST}\r\n`],
    ["a read with a chunked body", `GET ${KEY} HTTP/1.1\r\n${CHUNKED}zz\r\n`],
    ["a broken chunk", `PUT ${KEY} HTTP/1.1\r\nKV-Write-Id: w-1\r\n${CHUNKED}zz\r\n`],
    [
      "an unknown transfer encoding",
      `PUT ${KEY} HTTP/1.1\r\nKV-Write-Id: w-1\r\n${HOST}Transfer-Encoding: gzip\r\n\r\n`,
    ],
  ])("what cannot be parsed is 400: %s", async (_name, bytes) => {
    const { port, deliveries } = await frontStubs(program, () => DONE);
    const response = await sendBytes({ port, bytes });
    expectUnparsed(program, response, bytes.startsWith("PUT") ? { writeId: "w-1" } : {});
    expect(deliveries).toHaveLength(0);
  });

  test("a request line above 8 KiB is 414, a header above 16 KiB is 431", async () => {
    const { port, deliveries } = await frontStubs(program, () => DONE);
    const long = "k".repeat(16_384);
    expectProblem(await send({ port, target: `${KEY}${long}` }), "uri-too-long");
    const headers = { "KV-Context": long };
    expectProblem(await send({ port, target: KEY, headers }), "headers-too-large");
    expect(deliveries).toHaveLength(0);
  });
});

describe.skipIf(!needs(NGINX.program))("nginx: access log", () => {
  test("a line says who was tried, under which write id, and never the key", async () => {
    const { front, port, nodes, deliveries } = await frontStubs(NGINX, (_, nth) =>
      nth === 1 ? "reset" : DONE,
    );
    const headers = { "KV-Write-Id": 'a"b' };
    await send({ port, method: "PUT", target: "/v1/kv/b/secret?w=1", headers, body: "v" });
    const [put] = await front.accessLog(1);
    await send({ port, target: "/metrics" });
    const [, other] = await front.accessLog(2);
    expect(put).toMatchObject({
      method: "PUT",
      path: "/v1/kv/b/",
      status: "204",
      write_id: 'a"b',
      attempt: "2",
      upstream_addr: deliveries.map(({ node }) => node).join(" : "),
      upstream_status: "502 : 204",
      duration_s: expect.any(Number),
    });
    expect(JSON.stringify(put)).not.toContain("secret");
    expect(nodes.map(({ address }) => address)).toContain(deliveries[0]?.node);
    expect(other).toMatchObject({ method: "GET", path: "/metrics", status: "404" });
  });

  test("a write that failed on both tries is logged as it came", async () => {
    const { front, port } = await frontStubs(NGINX, () => "reset");
    await send({ port, method: "DELETE", target: KEY });
    const [line] = await front.accessLog(1);
    expect(line).toMatchObject({
      method: "DELETE",
      status: "502",
      attempt: "2",
      upstream_status: "502 : 502",
    });
  });
});

describe.skipIf(!needs(HAPROXY.program))("HAProxy: access log", () => {
  test("a line says who answered, after how many tries, under which write id, and never the key", async () => {
    const { front, port } = await frontStubs(HAPROXY, (_, nth) => (nth === 1 ? "reset" : DONE));
    const headers = { "KV-Write-Id": 'a"b', "KV-Request-Id": "req-1" };
    await send({ port, method: "PUT", target: "/v1/kv/b/secret?w=1", headers, body: "v" });
    await send({ port, target: "/metrics" });
    const [put, other] = await front.accessLog(2);
    expect(put).toMatchObject({
      method: "PUT",
      path: "/v1/kv/b/",
      status: "204",
      request_id: "req-1",
      write_id: 'a"b',
      retries: "+1", // on another node
      server: expect.stringMatching(/^kv[123]$/),
      duration_ms: expect.any(Number),
    });
    expect(JSON.stringify(put)).not.toContain("secret");
    expect(other).toMatchObject({ method: "GET", path: "/metrics", status: "404" });
  });
});
