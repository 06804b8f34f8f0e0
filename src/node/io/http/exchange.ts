import type { IncomingMessage, ServerResponse } from "node:http";
import { latin1Text } from "../../../core/bytes.ts";
import { KvError } from "../../../core/errors.ts";
import type { Logger } from "../../../ports/telemetry.ts";
import { PROBLEM_TYPE, problemBody, problemHeaders } from "./problem.ts";

const SINGLE_WRITE_BYTES_MAX = 16 * 1024;

/** One request and its one answer. */
export class Exchange {
  readonly request: IncomingMessage;
  readonly requestId: string;
  readonly #response: ServerResponse;
  readonly #lastOnConnection: () => boolean;

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

  /** @param headers flat name-value pairs; length, request id and connection are added. */
  answer(status: number, headers: string[], body?: Uint8Array | string): void {
    headers.push("KV-Request-Id", this.requestId);
    if (this.#lastOnConnection()) headers.push("Connection", "close");
    if (body !== undefined) {
      const length = typeof body === "string" ? Buffer.byteLength(body) : body.byteLength;
      headers.push("Content-Length", String(length));
    }
    this.#response.writeHead(status, headers);
    if (body === undefined || this.request.method === "HEAD") this.#response.end();
    else this.#end(body);
  }

  /** A short body travels as text, one character a byte: node:http then needs one write, not two. */
  #end(body: Uint8Array | string): void {
    if (typeof body !== "string" && body.byteLength <= SINGLE_WRITE_BYTES_MAX) {
      this.#response.end(latin1Text(body), "latin1");
    } else {
      this.#response.end(body);
    }
  }

  /** Anything that is no KvError is a bug: it is logged whole and told briefly. */
  fail(error: unknown, log: Logger): void {
    const known =
      error instanceof KvError
        ? error
        : new KvError("internal", "an internal error; the log has more under this request id");
    if (known.code === "internal") log.error({ err: error, requestId: this.requestId }, "bug");
    if (this.#response.headersSent) {
      this.#response.destroy();
      return;
    }
    const headers = [...problemHeaders(known), "Content-Type", PROBLEM_TYPE];
    // The rest of a refused body is not read, so nothing more can come on this connection.
    if (!this.request.complete) headers.push("Connection", "close");
    this.answer(known.status, headers, problemBody(known, this.requestId));
  }
}
