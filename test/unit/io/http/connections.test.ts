import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { DEFAULT_BUCKET } from "../../../../src/core/bucket.ts";
import { defaultBucketProperties } from "../../../../src/core/bucket-properties.ts";
import { stampOfMs } from "../../../../src/core/hlc.ts";
import { parseActorId, parseWriteId } from "../../../../src/core/ids.ts";
import type { HttpApi, HttpApiOptions } from "../../../../src/node/io/http/http-api.ts";
import type { ReadResult, WriteRequest } from "../../../../src/ports/operations.ts";
import { RecordingTelemetry } from "../../../../src/testing/recording-telemetry.ts";
import { openApi } from "./api.ts";

const WRITTEN = {
  version: { stamp: stampOfMs(5), writeId: parseWriteId("w") },
  context: undefined,
  quorum: { needed: 2, acked: 2, epoch: 1 },
};
/** Longer than what sockets take in before anybody reads. */
const LONG: ReadResult = {
  version: {
    ...WRITTEN.version,
    actor: parseActorId("a".repeat(24)),
    content: {
      value: new Uint8Array(64 * 1024 * 1024),
      contentType: undefined,
      contentEncoding: undefined,
    },
    expiresAt: undefined,
  },
  expired: false,
  siblings: [],
  context: undefined,
  quorum: WRITTEN.quorum,
};
const HOST = "Host: n1\r\n";
const PUT = `PUT /v1/kv/default/k HTTP/1.1\r\n${HOST}`;
const GARBAGE = "\x16\x03\x01 no HTTP\r\n\r\n";

let api: HttpApi | undefined;
let written: WriteRequest[] = [];
beforeEach(() => {
  written = [];
});
afterEach(() => api?.drain());

/** A node that takes every write, once the `gate` is open. */
async function open(
  options: Partial<HttpApiOptions> = {},
  more: { readonly gate?: Promise<void>; readonly telemetry?: RecordingTelemetry } = {},
): Promise<HttpApi> {
  const properties = { ...defaultBucketProperties(3), valueBytesMax: 1_000 };
  api = await openApi({
    options,
    telemetry: more.telemetry ?? new RecordingTelemetry(),
    operations: {
      write: async (request) => {
        written.push(request);
        await more.gate;
        return WRITTEN;
      },
      read: () => Promise.resolve(LONG),
    },
    view: { bucket: (name) => (name === DEFAULT_BUCKET ? properties : undefined) },
  });
  return api;
}

function dial(to: HttpApi): Socket {
  const socket = connect(to.address.port, to.address.host);
  // A reset after the answer is an end like any other.
  socket.on("error", () => {});
  return socket;
}

/** All that comes back until the node ends the connection; this side never does. */
async function exchange(to: HttpApi, bytes: string): Promise<string> {
  const socket = dial(to);
  socket.write(bytes, "latin1");
  return text(socket);
}

const statuses = (answers: string): string[] =>
  [...answers.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status = ""]) => status);
const codes = (answers: string): string[] =>
  [...answers.matchAll(/"code":"([a-z-]+)"/g)].map(([, code = ""]) => code);

describe("what is no request", () => {
  test("is answered with a problem and an id, and ends the connection", async () => {
    const answers = await exchange(await open(), GARBAGE);
    expect([statuses(answers), codes(answers)]).toEqual([["400"], ["request-invalid"]]);
    expect(answers).toMatch(/^KV-Request-Id: n1-\w+\r$/m);
  });

  test("is not answered before a write that is still under way", async () => {
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const socket = dial(await open({}, { gate }));
    socket.write(`${PUT}Content-Length: 1\r\n\r\nv${GARBAGE}`, "latin1");
    socket.once("data", () => expect(written).toHaveLength(1));
    while (written.length === 0) await new Promise(setImmediate);
    release();
    const answers = await text(socket);
    expect(statuses(answers)).toEqual(["204"]);
    expect(answers).toContain("Connection: close");
  });

  test("follows the answer to a request before it", async () => {
    const socket = dial(await open());
    socket.write(`${PUT}Content-Length: 1\r\n\r\nv`);
    await once(socket, "readable");
    socket.write(GARBAGE);
    expect(statuses(await text(socket))).toEqual(["204", "400"]);
  });

  test("in the body of a write ends it before it begins", async () => {
    const chunked = `${PUT}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nZZ\r\n`;
    const answers = await exchange(await open(), chunked);
    expect([statuses(answers), codes(answers)]).toEqual([["400"], ["request-invalid"]]);
    expect(written).toEqual([]);
  });
});

describe("a client that is late", () => {
  const HURRY = { clientHeadersTimeoutMs: 50, clientRequestTimeoutMs: 50 };

  test.each([
    ["with everything", ""],
    ["with its headers", "GET /livez HTT"],
    ["with its body", `${PUT}Content-Length: 2\r\n\r\nv`],
  ])("%s gets 408, and its connection ends", async (_, bytes) => {
    const answers = await exchange(await open(HURRY), bytes);
    expect([statuses(answers), codes(answers)]).toEqual([["408"], ["request-timeout"]]);
    expect(written).toEqual([]);
  });

  test("with its next request loses its connection without a word", async () => {
    const to = await open({ clientIdleTimeoutMs: 50 });
    const answers = await exchange(to, `GET /livez HTTP/1.1\r\n${HOST}\r\n`);
    expect(statuses(answers)).toEqual(["200"]);
  });

  test("to take its answers loses its connection", async () => {
    const telemetry = new RecordingTelemetry();
    const late = (): number => telemetry.count("refused", "clientRequestTimeoutMs");
    const socket = dial(await open({ ...HURRY, requestTimeoutMaxMs: 50 }, { telemetry }));
    socket.pause();
    socket.write(`GET /v1/kv/default/long HTTP/1.1\r\n${HOST}\r\n`);
    await vi.waitFor(() => expect(late()).toBeGreaterThan(0), { timeout: 10_000 });
    socket.resume();
    if (!socket.closed) await once(socket, "close");
  });
});

describe("Expect: 100-continue", () => {
  const ask = (bucket: string, more = ""): string =>
    `PUT /v1/kv/${bucket}/k HTTP/1.1\r\n${HOST}Content-Length: 1\r\nConnection: close\r\nExpect: 100-continue\r\n${more}\r\n`;

  test("gets 100 once the value is wanted", async () => {
    const socket = dial(await open());
    socket.write(ask("default"));
    await once(socket, "readable");
    expect(written).toEqual([]);
    socket.write("v");
    expect(statuses(await text(socket))).toEqual(["100", "204"]);
  });

  test("gets the refusal instead when the value would be sent in vain", async () => {
    const to = await open();
    expect(statuses(await exchange(to, ask("nothing")))).toEqual(["404"]);
    expect(statuses(await exchange(to, ask("default", "KV-Session: x\r\n")))).toEqual(["400"]);
    expect(statuses(await exchange(to, ask("default", "If-Match: x\r\n")))).toEqual(["409"]);
    expect(written).toEqual([]);
  });
});

describe("a body that is refused", () => {
  test("does not keep its sender from reading why: no reset comes while it sends", async () => {
    const { port, host } = (await open()).address;
    const socket = connect({ port, host, allowHalfOpen: true });
    const errors: Error[] = [];
    socket.on("error", (error) => errors.push(error));
    const piece = `${(64 * 1024).toString(16)}\r\n${"x".repeat(64 * 1024)}\r\n`;
    socket.write(`${PUT}Transfer-Encoding: chunked\r\n\r\n${piece}`);
    await once(socket, "readable");
    // It learns of the refusal and finishes what it had begun all the same.
    for (let i = 0; i < 16; i += 1) socket.write(piece);
    socket.end("0\r\n\r\n");
    expect(statuses(await text(socket))).toEqual(["413"]);
    if (!socket.closed) await once(socket, "close");
    expect(errors).toEqual([]);
  });

  test("is not read without end", async () => {
    const socket = dial(await open());
    socket.write(`${PUT}Transfer-Encoding: chunked\r\n\r\n`);
    const chunk = `${(64 * 1024).toString(16)}\r\n${"x".repeat(64 * 1024)}\r\n`;
    const pump = (): void => {
      while (!socket.destroyed && socket.write(chunk));
    };
    socket.on("drain", pump);
    pump();
    expect(statuses(await text(socket).catch(() => "HTTP/1.1 413"))).toEqual(["413"]);
  });
});

describe("a request that proxies may read in two ways", () => {
  test.each([
    ["two hosts", `GET /livez HTTP/1.1\r\n${HOST}Host: n2\r\n\r\n`],
    ["no host", "GET /livez HTTP/1.1\r\n\r\n"],
    [
      "a DELETE with a body",
      `DELETE /v1/kv/default/k HTTP/1.1\r\n${HOST}Content-Length: 1\r\n\r\nx`,
    ],
    [
      "a GET with a chunked one",
      `GET /livez HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ["two lengths", `${PUT}Content-Length: 1\r\nContent-Length: 2\r\n\r\nvv`],
    [
      "a length and chunks",
      `${PUT}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ["another coding", `${PUT}Transfer-Encoding: gzip, chunked\r\n\r\n1\r\nv\r\n0\r\n\r\n`],
    [
      "fields after the body",
      `${PUT}Transfer-Encoding: chunked\r\n\r\n1\r\nv\r\n0\r\nKV-Write-Id: x\r\n\r\n`,
    ],
    ["another expectation", `${PUT}Content-Length: 1\r\nExpect: tea\r\n\r\nv`],
    ["CONNECT", `CONNECT n1:80 HTTP/1.1\r\n${HOST}\r\n`],
  ])("is refused, and writes nothing: %s", async (_, bytes) => {
    const close = bytes.replace("\r\n", "\r\nConnection: close\r\n");
    const answers = await exchange(await open(), close);
    expect([statuses(answers), codes(answers)]).toEqual([["400"], ["request-invalid"]]);
    expect(written).toEqual([]);
  });

  test("is served when only its target has the form for proxies", async () => {
    const ask = (target: string): string =>
      `GET ${target} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`;
    const to = await open();
    expect(statuses(await exchange(to, ask("http://elsewhere:1/livez")))).toEqual(["200"]);
    expect(statuses(await exchange(to, ask("HTTP://n1/v1/kv/default/http://x?r=0")))).toEqual([
      "400",
    ]);
    expect(statuses(await exchange(to, ask("http:///livez")))).toEqual(["404"]);
    expect(statuses(await exchange(to, ask("ftp://n1/livez")))).toEqual(["404"]);
  });

  test("has no header beyond a number that goes unread", async () => {
    const many = "a:\r\n".repeat(2_500);
    const ask = `GET /livez HTTP/1.1\r\n${HOST}Connection: close\r\n${many}KV-Session: x\r\n\r\n`;
    expect(codes(await exchange(await open(), ask))).toEqual(["header-invalid"]);
  });
});
