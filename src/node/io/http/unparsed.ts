import type { Duplex } from "node:stream";
import { KvError } from "../../../core/errors.ts";
import { LINGER_MS } from "./exchange.ts";
import type { Exchange } from "./exchange.ts";
import { PROBLEM_TYPE, problemBody } from "./problem.ts";

/**
 * Answers what the HTTP parser could not make a request of, and ends the connection. The answer comes
 * after those of the requests before it: a client pairs answers with requests by their order alone,
 * and would take it for the answer to a write that is still under way.
 */
export class Unparsed {
  readonly #headerBytesMax: number;
  readonly #newest = new WeakMap<Duplex, Exchange>();
  readonly #refused = new WeakSet<Duplex>();

  constructor({ headerBytesMax }: { headerBytesMax: number }) {
    this.#headerBytesMax = headerBytesMax;
  }

  /** A request begins; earlier ones of its connection may not have been answered yet. */
  began(exchange: Exchange): void {
    this.#newest.set(exchange.request.socket, exchange);
  }

  /** @returns what the client was told, if that was anything. */
  refuse(error: Error, socket: Duplex, requestId: string): KvError | undefined {
    // Whatever else comes is no request either.
    if (this.#refused.has(socket)) return undefined;
    this.#refused.add(socket);
    const newest = this.#newest.get(socket);
    const problem = this.#problemOf(error);
    if (!socket.writable || newest?.response === "sent-early") {
      socket.destroy();
      return undefined;
    }
    if (newest?.response === "under-way") {
      newest.closeAfterwards();
      return undefined;
    }
    if (newest?.response === "awaits-body") newest.refuse(problem);
    else end(socket, problem, requestId);
    return problem;
  }

  #problemOf(error: Error): KvError {
    const code = "code" in error ? error.code : undefined;
    switch (code) {
      case "HPE_HEADER_OVERFLOW":
        return new KvError("headers-too-large", `the headers exceed ${this.#headerBytesMax} bytes`);
      case "ERR_HTTP_REQUEST_TIMEOUT":
        return new KvError("request-timeout", "the request did not arrive in time");
      default:
        return new KvError("request-invalid", "this is not HTTP/1.1 as this server reads it");
    }
  }
}

function end(socket: Duplex, problem: KvError, requestId: string): void {
  const body = problemBody(problem, requestId);
  socket.end(
    `HTTP/1.1 ${problem.status} ${problem.code}\r\nContent-Type: ${PROBLEM_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nKV-Request-Id: ${requestId}\r\nConnection: close\r\n\r\n${body}`,
  );
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.on("close", () => clearTimeout(timer));
}
