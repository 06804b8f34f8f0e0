import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { base64url, fromBase64url } from "../../src/core/bytes.ts";
import {
  answersOf,
  draw,
  heapOf,
  objectionTo,
  settles,
  socketsOf,
  strikeAll,
  tally,
} from "../support/barrage.ts";
import type { Answer, Strike, Struck } from "../support/barrage.ts";
import { startCluster } from "../support/cluster.ts";
import type { Cluster } from "../support/cluster.ts";
import { send } from "../support/raw-http.ts";

const CASES = 3_000;
const BATCHES = 3;
const HEAP_GROWTH_BYTES_MAX = 48 * 1024 * 1024;
const HOST = "Host: n1\r\n";
/** Inside bodies only. Whoever takes it for a request of its own was made to. */
const SMUGGLED = `PUT /v1/kv/default/smuggled HTTP/1.1\r\n${HOST}Content-Length: 1\r\n\r\nx`;
const PUT = `PUT /v1/kv/default/k HTTP/1.1\r\n${HOST}`;
const GET = `GET /v1/kv/default/k HTTP/1.1\r\n${HOST}`;

const from = (...texts: string[]): fc.Arbitrary<string> => fc.constantFrom(...texts);
const byte = fc.integer({ min: 0, max: 255 }).map((it) => String.fromCharCode(it));
const bytes = (max: number) => fc.string({ unit: byte, maxLength: max });
const manner = fc.oneof(
  { weight: 3, arbitrary: fc.constant("end" as const) },
  { weight: 1, arbitrary: fc.constant("hold" as const) },
);

const ambiguousCodings = from(
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: Chunked",
  "Transfer-Encoding:chunked ",
  "Transfer-Encoding: identity, chunked",
  "Transfer-Encoding: chunked, identity",
  "Transfer-Encoding: xchunked",
  "Transfer-Encoding: \x0bchunked",
  "Transfer-Encoding: chunked\x00",
  "Transfer-Encoding : chunked",
  "Transfer-Encoding\t: chunked",
  "Transfer_Encoding: chunked",
  " Transfer-Encoding: chunked",
  "X: x\r\n Transfer-Encoding: chunked",
  "X: x\nTransfer-Encoding: chunked",
  "X: x\rTransfer-Encoding: chunked",
  "Transfer-Encoding:\r\n chunked",
  'Transfer-Encoding: "chunked"',
  "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
);
/** Read by its length it is one value, read by its chunks an empty one and another request. */
const twoBodies = ambiguousCodings.chain((coding) => {
  const body = `0\r\n\r\n${SMUGGLED}`;
  const length = `Content-Length: ${body.length}`;
  return from(`${length}\r\n${coding}`, `${coding}\r\n${length}`).map(
    (headers) => `${PUT}${headers}\r\n\r\n${body}`,
  );
});

const body5 = `12345${SMUGGLED}`;
const FULL = String(body5.length);
const twoLengths = from(
  `5\r\nContent-Length: ${FULL}`,
  `${FULL}\r\nContent-Length: 5`,
  `5, ${FULL}`,
  `${FULL}, 5`,
  `+${FULL}`,
  `-${FULL}`,
  `0x${body5.length.toString(16)}`,
  `${FULL}.0`,
  `${FULL} 5`,
  `${FULL}e0`,
  "99999999999999999999999999",
  "",
  " ",
  `\x0b${FULL}`,
).map((length) => `${PUT}Content-Length: ${length}\r\n\r\n${body5}`);

/** Malformed sizes: whoever guesses on finds a request in what follows. */
const chunkTricks = from(
  "0x5",
  "-1",
  "+5",
  " 5",
  "5 x",
  "5\x00",
  "FFFFFFFFFFFFFFFFF",
  "80000000",
  "",
  "g",
  `5;${"e".repeat(20_000)}`,
).map((size) => `${PUT}Transfer-Encoding: chunked\r\n\r\n${size}\r\n12345\r\n0\r\n\r\n`);

const trailers = from("KV-Write-Id: x", "Content-Length: 0", "a: b", "a\x00: b", " folded").map(
  (field) => `${PUT}Transfer-Encoding: chunked\r\n\r\n1\r\nv\r\n0\r\n${field}\r\n\r\n`,
);

const lineEnds = fc
  .tuple(from("\n", "\r", "\r\r\n", "\n\r", "\x0b\r\n"), from("\n", "\r", "\r\n"))
  .map(([a, b]) => `GET /v1/kv/default/k HTTP/1.1${a}Host: n1${b}X: y${a}${b}`);

const badBytes = fc
  .tuple(from("\x00", "\x01", "\x0b", "\x7f", "\x80", "\xff", "\x1b[31m"), fc.nat(4))
  .map(([bad, at]) => {
    const parts = ["GET /v1/kv/default/k", " HTTP/1.1\r\nHost: n", "1\r\nX", ": y", "z\r\n\r\n"];
    return parts.map((part, index) => (index === at ? part + bad : part)).join("");
  });

const targets = fc
  .tuple(
    from("GET", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "G\x00T", "PRI"),
    from(
      "http://elsewhere/v1/kv/default/k",
      "http://n1@elsewhere:99999/metrics",
      "http:///livez",
      "http://n1",
      "//n1/livez",
      "n1:80",
      "*",
      "",
      "?",
      "/v1/kv/default/k#x",
      "/v1/kv/default/k?r=1?w=2",
      `/v1/kv/default/${"k".repeat(5_000)}`,
      `/v1/kv/default/k?${"x".repeat(5_000)}`,
      "\\v1\\kv\\default\\k",
    ),
    from("HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/1.2", "http/1.1", "HTTP/1.1 x", ""),
  )
  .map(([method, target, version]) => `${method} ${target} ${version}\r\n${HOST}\r\n`);

const dots = from(".", "..", "%2e", "%2E%2e", ".%2e");
/** Segments that URL libraries and proxies rewrite: refused where they would change what is meant. */
const dotPaths = fc
  .tuple(from("", "a/", "a%2F"), dots, from("", "/b", "/metrics", "%2fmetrics", "/..%2f../metrics"))
  .map(([before, dot, after]) => `${before}${dot}${after}`);
const oddPaths = from(
  "%",
  "%F",
  "%FF",
  "%GG",
  "%00",
  "",
  "/",
  "//",
  "a//b",
  "a%2Fb",
  "%252e%252e",
  "k".repeat(101),
  "k".repeat(1_024),
  "k".repeat(1_025),
  "%6b".repeat(1_024),
  "ü",
);
const getOf = (path: string): string => `GET /v1/kv/default/${path} HTTP/1.1\r\n${HOST}\r\n`;
const key64 = fc
  .oneof(
    from("", "=", "YQ==", "Y Q", "Y", "YR", "-_-_", "../metrics", "%2e%2e", "Lg", "Li4", "AA"),
    bytes(12),
  )
  .map((path) => `GET /v1/kv64/default/${path} HTTP/1.1\r\n${HOST}\r\n`);

const floods = fc
  .tuple(
    fc.integer({ min: 1, max: 4_500 }),
    from("a:", "Cookie: x", "KV-Session: y", "Host: n1", "Content-Length: 0"),
  )
  .map(([count, header]) => `${GET}${`${header}\r\n`.repeat(count).slice(0, 200_000)}\r\n`);
const longHeaders = fc
  .integer({ min: 10_000, max: 100_000 })
  .map((length) => `${GET}X: ${"x".repeat(length)}\r\n\r\n`);

const oversized = from(
  `${PUT}Content-Length: 9999999999\r\n\r\nx`,
  `${PUT}Content-Length: 1048577\r\n\r\n${"x".repeat(1_048_577)}`,
  `${PUT}Content-Length: 1048577\r\nExpect: 100-continue\r\n\r\n`,
  `${PUT}Transfer-Encoding: chunked\r\n\r\n${"10000\r\n".padEnd(65_543, "x")}\r\n`.padEnd(
    1_500_000,
    "0",
  ),
);

const valid = `${PUT}Content-Length: 5\r\nKV-Write-Id: w\r\nContent-Type: text/plain\r\n\r\nvalue`;
const truncated = fc.integer({ min: 0, max: valid.length - 1 }).map((at) => valid.slice(0, at));
const mutated = fc
  .array(fc.tuple(fc.nat(valid.length - 1), byte, from("replace", "insert", "remove")), {
    minLength: 1,
    maxLength: 4,
  })
  .map((changes) => {
    const text = valid.split("");
    for (const [at, it, how] of changes) {
      text[at] = how === "replace" ? it : how === "insert" ? `${text[at] ?? ""}${it}` : "";
    }
    return text.join("");
  });
const garbage = fc.oneof(
  bytes(200),
  from(
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\r\n".repeat(500),
    "\0".repeat(1_000),
    "HTTP/1.1 200 OK\r\n\r\n",
  ),
);
const parameters = fc
  .tuple(
    from("r", "w", "timeout", "ttl", "durability", "version", "explain", "__proto__"),
    bytes(6),
    from("PUT", "GET", "DELETE"),
  )
  .map(([name, value, method]) => {
    const query = [...Buffer.from(`${name}=${value}`, "latin1")]
      .map((it) => (it <= 0x20 || it > 0x7e ? "%" : String.fromCharCode(it)))
      .join("");
    return `${method} /v1/kv/default/k?${query} HTTP/1.1\r\n${HOST}\r\n`;
  });
const kvHeaders = fc
  .tuple(
    from(
      "KV-Write-Id",
      "KV-Attempt",
      "KV-Context",
      "KV-Request-Id",
      "KV-Session",
      "traceparent",
      "Expect",
      "Content-Type",
    ),
    bytes(30),
  )
  .map(
    ([name, value]) =>
      `${PUT}${name}: ${value.replaceAll(/[\r\n]/g, " ")}\r\nContent-Length: 1\r\n\r\nv`,
  );

const KINDS: Readonly<Record<string, fc.Arbitrary<string>>> = {
  twoBodies,
  twoLengths,
  chunkTricks,
  trailers,
  lineEnds,
  badBytes,
  targets,
  key64,
  floods,
  longHeaders,
  oversized,
  truncated,
  mutated,
  garbage,
  parameters,
  kvHeaders,
  dotPaths: dotPaths.map(getOf),
  oddPaths: oddPaths.map(getOf),
};

const strikes = fc.oneof(
  ...Object.entries(KINDS).map(([kind, arbitrary]) => ({
    weight: 4,
    arbitrary: fc.record<Strike>({ kind: fc.constant(kind), bytes: arbitrary, manner }),
  })),
  {
    weight: 1,
    arbitrary: fc.constant<Strike>({
      kind: "slow",
      bytes: valid.padEnd(400, "x"),
      manner: "trickle",
    }),
  },
);

let cluster: Cluster;
let port = 0;
let url = "";
beforeAll(async () => {
  cluster = await startCluster({
    nodes: 1,
    nodeOptions: {
      clientHeadersTimeoutMs: "1500",
      clientRequestTimeoutMs: "2000",
      clientIdleTimeoutMs: "1000",
      requestTimeoutMaxMs: "2000",
      logLevel: "warn",
    },
  });
  [url = ""] = cluster.urls;
  port = Number(new URL(url).port);
});
afterAll(() => cluster.stop());

const node = () => {
  const { n1 } = cluster.nodes;
  if (n1 === undefined) throw new Error("n1 was asked for");
  return n1;
};

async function expectServing(): Promise<void> {
  expect((await send({ port, target: "/livez" })).status).toBe(200);
  const target = "/v1/kv/default/after";
  const body = String(Math.random());
  expect((await send({ port, target, method: "PUT", body })).status).toBe(204);
  expect((await send({ port, target })).body).toBe(body);
  const smuggled = await send({ port, target: "/v1/kv/default/smuggled" });
  expect(JSON.parse(smuggled.body)).toMatchObject({ code: "key-not-found", deleted: false });
}

/** What is wrong with how the node took it, with the case itself. */
function wrongWith(one: Struck): readonly string[] {
  const answers = answersOf(one);
  const objections = answers.flatMap((answer) => objectionTo(answer) ?? []);
  // On a busy machine a client may be late.
  const isRefusal = ({ body }: Answer): boolean => /"(key-invalid|request-timeout)"/.test(body);
  if (one.kind === "dotPaths" && !answers.every(isRefusal)) {
    objections.push("a path with dots was read as another one");
  }
  const { bytes, answer } = one;
  const seen = { ...one, bytes: bytes.slice(0, 500), answer: answer.slice(0, 500) };
  return objections.map((it) => `${it}: ${JSON.stringify(seen)}`);
}

test(`${CASES} hostile conversations: each is answered with a code or ended, and leaves nothing behind`, async () => {
  await expectServing();
  const before = { sockets: socketsOf(node().pid), heap: await heapOf(url) };
  const cases = draw(strikes, CASES);
  const all: Struck[] = [];
  for (let batch = 0; batch < BATCHES; batch += 1) {
    const some = cases.filter((_, index) => index % BATCHES === batch);
    const struck = await strikeAll(some, port);
    expect(struck.flatMap(wrongWith)).toEqual([]);
    await expectServing();
    await settles("open sockets", before.sockets, () => socketsOf(node().pid));
    all.push(...struck);
  }
  expect(all).toHaveLength(CASES);
  const statusesOf = (one: Struck) => answersOf(one).map(({ status }) => status);
  for (const line of tally(all, statusesOf)) console.info(line);
  const kinds = new Set(all.map(({ kind }) => kind));
  expect([...kinds].toSorted()).toEqual([...Object.keys(KINDS), "slow"].toSorted());
  await settles("heap bytes", before.heap + HEAP_GROWTH_BYTES_MAX, () => heapOf(url));
  expect(node().running).toBe(true);
  expect(node().log()).not.toContain('"msg":"bug"');
});

test("300 forged causal contexts: each is refused, and writes nothing", async () => {
  const bucket = "/v1/buckets/beside";
  expect(
    (await send({ port, target: bucket, method: "PUT", body: '{"mode":"siblings"}' })).status,
  ).toBe(200);
  const target = "/v1/kv/beside/k";
  const first = await send({ port, target, method: "PUT", body: "first" });
  const other = await send({ port, target: `${target}2`, method: "PUT", body: "other" });
  const token = fromBase64url(String(first.headers["kv-context"])) ?? new Uint8Array();
  const flipped = fc.tuple(fc.nat(token.byteLength - 1), fc.nat(7)).map(([at, bit]) => {
    const forged = Uint8Array.from(token);
    forged[at] = (forged[at] ?? 0) ^ (1 << bit);
    return base64url(forged);
  });
  const cut = fc.nat(token.byteLength - 1).map((length) => base64url(token.subarray(0, length)));
  const longer = fc
    .uint8Array({ minLength: 1, maxLength: 3_500 })
    .map((more) => base64url(Buffer.concat([token, more])));
  const made = fc.uint8Array({ maxLength: 200 }).map(base64url);
  const forged = fc.oneof(
    flipped,
    flipped,
    cut,
    longer,
    made,
    fc.constant(String(other.headers["kv-context"])),
  );
  for (const context of draw(forged, 300)) {
    const answer = await send({
      port,
      target,
      method: "PUT",
      body: "forged",
      headers: { "kv-context": context },
    });
    expect([context, JSON.parse(answer.body)]).toEqual([
      context,
      expect.objectContaining({ status: 400, code: "context-invalid" }),
    ]);
  }
  expect((await send({ port, target })).body).toBe("first");
  await expectServing();
});
