import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Address } from "../../../core/config.ts";
import { KvError } from "../../../core/errors.ts";
import type { NodeView } from "../../../ports/node-view.ts";
import type { Operations } from "../../../ports/operations.ts";
import { closeServer, listen } from "../listen.ts";
import type { SystemTelemetry } from "../telemetry.ts";
import { Exchange } from "./exchange.ts";
import { requestIdOf } from "./parameters.ts";
import { PROBLEM_TYPE, problemBody } from "./problem.ts";
import { routeOf } from "./routes.ts";
import type { RouteModules } from "./routes.ts";

const HEADER_BYTES_MAX = 16 * 1024;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
/** Longer than any proxy keeps its idle upstream connections, or it would meet closed ones. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** The longest key, every byte percent-encoded, with room for bucket and query. */
const TARGET_LENGTH_MAX = 4 * 1024;

export interface HttpApiOptions {
  readonly address: Address;
  readonly clientConnectionsMax: number;
}

interface HttpApiModules {
  readonly operations: Operations;
  readonly changeBucket: RouteModules["changeBucket"];
  readonly view: NodeView;
  readonly telemetry: SystemTelemetry;
}

/** The client port: API v1 over node:http. */
export class HttpApi {
  readonly #options: HttpApiOptions;
  readonly #modules: HttpApiModules;
  readonly #server: Server;
  #requestCount = 0;

  private constructor(options: HttpApiOptions, modules: HttpApiModules) {
    this.#options = options;
    this.#modules = modules;
    this.#server = createServer(
      {
        maxHeaderSize: HEADER_BYTES_MAX,
        headersTimeout: HEADERS_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      },
      (request, response) => this.#serve(request, response),
    );
    this.#server.maxConnections = options.clientConnectionsMax;
    this.#server.on("drop", () =>
      modules.telemetry.metrics.refused.with("clientConnectionsMax").add(),
    );
    this.#server.on("clientError", (error, socket) => refuseUnparsed(error, socket));
  }

  static async open(options: HttpApiOptions, modules: HttpApiModules): Promise<HttpApi> {
    const api = new HttpApi(options, modules);
    await listen(api.#server, options.address);
    return api;
  }

  get address(): Address {
    const bound = this.#server.address();
    if (bound === null || typeof bound === "string") return this.#options.address;
    return { host: bound.address, port: bound.port };
  }

  /** Takes no more connections; resolves when every answer under way has been sent. */
  drain(): Promise<void> {
    const closed = closeServer(this.#server);
    this.#server.closeIdleConnections();
    return closed;
  }

  /** Ends whatever is left. */
  abort(): void {
    this.#server.closeAllConnections();
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    this.#requestCount += 1;
    const exchange = new Exchange({
      request,
      response,
      requestId:
        requestIdOf(request) ?? `${this.#modules.view.id}-${this.#requestCount.toString(36)}`,
      lastOnConnection: () => this.#modules.view.state === "draining",
    });
    this.#dispatch(exchange).catch((error: unknown) =>
      exchange.fail(error, this.#modules.telemetry.log),
    );
  }

  async #dispatch(exchange: Exchange): Promise<void> {
    const { method = "", url = "" } = exchange.request;
    if (url.length > TARGET_LENGTH_MAX) {
      throw new KvError(
        "uri-too-long",
        `the request target exceeds ${TARGET_LENGTH_MAX} characters`,
      );
    }
    const route = routeOf(url);
    if (route === undefined) throw new KvError("route-not-found", "there is no such route");
    if (!route.methods.some((allowed) => allowed === method)) {
      const allow = route.methods.join(", ");
      throw new KvError("method-not-allowed", `this route takes ${allow}`, { allow });
    }
    return route.handle(exchange, this.#modules);
  }
}

/** Answers what the HTTP parser could not make a request of, and closes the connection. */
function refuseUnparsed(error: Error, socket: Duplex): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const code = "code" in error ? error.code : undefined;
  const problem =
    code === "HPE_HEADER_OVERFLOW"
      ? new KvError("headers-too-large", `the headers exceed ${HEADER_BYTES_MAX} bytes`)
      : code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? new KvError("request-timeout", "the request did not arrive in time")
        : new KvError("request-invalid", "this is not HTTP/1.1 as this server reads it");
  const body = problemBody(problem, "unparsed");
  socket.end(
    `HTTP/1.1 ${problem.status} ${problem.code}\r\nContent-Type: ${PROBLEM_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
