import type { IncomingMessage, ServerResponse } from "node:http";
import { latin1Text } from "../../../core/bytes.ts";
import { KvError } from "../../../core/errors.ts";
import type { Telemetry } from "../../../ports/telemetry.ts";
import { PROBLEM_TYPE, problemBody, problemHeaders } from "./problem.ts";
import { Timing, traceparentOf } from "./trace.ts";

const SINGLE_WRITE_BYTES_MAX = 16 * 1024;
/** Of a refused body: read on for so long and so much, or the reset would overtake the answer. */
export const LINGER_MS = 1_000;
const LINGER_BYTES_MAX = 2 * 1024 * 1024;

/** One request and its one answer. */
export class Exchange {
  readonly request: IncomingMessage;
  readonly requestId: string;
  readonly timing = new Timing();
  readonly #response: ServerResponse;
  readonly #lastOnConnection: () => boolean;
  #refused = false;
  #closes = false;

  constructor(opts: {
    request: IncomingMessage;
    response: ServerResponse;
    requestId: string;
    /** True while the node drains: the client should come back elsewhere. */
    lastOnConnection: () => boolean;
  }) {
    this.request = opts.request;
    this.requestId = opts.requestId;
    this.#response = opts.response;
    this.#lastOnConnection = opts.lastOnConnection;
  }

  /** `sent-early`: the answer is out, the rest of the request is not in. */
  get response(): "awaits-body" | "under-way" | "sent-early" | "sent" {
    if (this.#response.headersSent) return this.request.complete ? "sent" : "sent-early";
    return this.request.complete ? "under-way" : "awaits-body";
  }

  /** Whoever sent `Expect: 100-continue` sends the body only now. */
  askForBody(): void {
    if (this.request.headers.expect !== undefined) this.#response.writeContinue();
  }

  /** What follows this request on its connection is no request. */
  closeAfterwards(): void {
    this.#closes = true;
  }

  /** @param headers flat name-value pairs; length, ids, timing and connection are added. */
  answer(status: number, headers: string[], body?: Uint8Array | string): void {
    // Nobody told the handler that the rest of its request is malformed or late.
    if (this.#refused) return;
    this.#writeHead(status, headers, body);
    if (body === undefined || this.request.method === "HEAD") this.#response.end();
    else this.#end(body);
  }

  #writeHead(status: number, headers: string[], body?: Uint8Array | string): void {
    headers.push("KV-Request-Id", this.requestId, "Server-Timing", this.timing.text());
    const trace = traceparentOf(this.request);
    if (trace !== undefined) headers.push("traceparent", trace);
    if (this.#closes || this.#lastOnConnection()) headers.push("Connection", "close");
    if (body !== undefined) {
      const length = typeof body === "string" ? Buffer.byteLength(body) : body.byteLength;
      headers.push("Content-Length", String(length));
    }
    this.#response.writeHead(status, headers);
  }

  /** A short body travels as text, one character a byte: node:http then needs one write, not two. */
  #end(body: Uint8Array | string): void {
    if (typeof body !== "string" && body.byteLength <= SINGLE_WRITE_BYTES_MAX) {
      this.#response.end(latin1Text(body), "latin1");
    } else {
      this.#response.end(body);
    }
  }

  /** Answers for the handler, which waits for the rest of the request. */
  refuse(error: KvError): void {
    this.#problem(error);
    this.#refused = true;
  }

  /** Anything that is no KvError is a bug: it is logged whole and told briefly. */
  fail(error: unknown, { log, metrics }: Telemetry): void {
    if (this.#refused) return;
    const known =
      error instanceof KvError
        ? error
        : new KvError("internal", "an internal error; the log has more under this request id");
    metrics.problems.with(known.code).add();
    if (known.code === "internal") {
      const traceparent = traceparentOf(this.request);
      log.error({ err: error, requestId: this.requestId, traceparent }, "bug");
    }
    if (this.#response.headersSent) this.#response.destroy();
    else this.#problem(known);
  }

  #problem(error: KvError): void {
    const headers = [...problemHeaders(error), "Content-Type", PROBLEM_TYPE];
    const body = problemBody(error, this.requestId);
    if (this.request.complete) return this.answer(error.status, headers, body);
    // The rest of this request is not served, so nothing more can come on this connection.
    this.#closes = true;
    this.#writeHead(error.status, headers, body);
    if (this.request.method !== "HEAD") this.#response.write(body);
    this.#linger();
  }

  /** The answer is out, whole; its connection ends once the client has had its say, or soon. */
  #linger(): void {
    const { request } = this;
    const end = (): void => {
      clearTimeout(timer);
      this.#response.end();
    };
    const timer = setTimeout(end, LINGER_MS);
    let length = 0;
    request.removeAllListeners("data");
    request.on("data", (chunk: Uint8Array) => {
      length += chunk.byteLength;
      if (length > LINGER_BYTES_MAX) end();
    });
    request.on("end", end);
    request.on("error", end);
    request.on("close", end);
    request.resume();
  }
}
