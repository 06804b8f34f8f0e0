import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { Server as NetServer } from "node:net";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Address } from "../../../core/config.ts";
import { KvError } from "../../../core/errors.ts";
import type { NodeView } from "../../../ports/node-view.ts";
import type { Operations } from "../../../ports/operations.ts";
import { listen } from "../listen.ts";
import type { SystemTelemetry } from "../telemetry.ts";
import { Exchange } from "./exchange.ts";
import { checkShape, requestIdOf } from "./parameters.ts";
import { routeOf } from "./routes.ts";
import type { RouteModules } from "./routes.ts";
import { originForm } from "./target.ts";
import { Unparsed } from "./unparsed.ts";

const HEADER_BYTES_MAX = 16 * 1024;
/** How often late requests are looked for. */
const LATE_CHECK_MS = 500;
/** The longest key, every byte percent-encoded, with room for bucket and query. */
const TARGET_LENGTH_MAX = 4 * 1024;

export interface HttpApiOptions {
  readonly address: Address;
  readonly clientConnectionsMax: number;
  readonly clientHeadersTimeoutMs: number;
  readonly clientRequestTimeoutMs: number;
  readonly clientIdleTimeoutMs: number;
  readonly requestTimeoutMaxMs: number;
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
  readonly #unparsed = new Unparsed({ headerBytesMax: HEADER_BYTES_MAX });
  /** Each with the number of its requests whose answers have not wholly left. */
  readonly #connections = new Map<Socket, number>();
  #draining = false;
  #requestCount = 0;

  private constructor(options: HttpApiOptions, modules: HttpApiModules) {
    this.#options = options;
    this.#modules = modules;
    const serve = (request: IncomingMessage, response: ServerResponse): void =>
      this.#serve(request, response);
    this.#server = createServer(
      {
        maxHeaderSize: HEADER_BYTES_MAX,
        headersTimeout: options.clientHeadersTimeoutMs,
        requestTimeout: options.clientRequestTimeoutMs,
        connectionsCheckingInterval: LATE_CHECK_MS,
        keepAliveTimeout: options.clientIdleTimeoutMs,
        // Checked here, so that its answer is a problem document like any other.
        requireHostHeader: false,
      },
      serve,
    );
    this.#server.on("checkContinue", serve);
    this.#server.on("checkExpectation", serve);
    this.#server.on("connection", (socket) => {
      this.#connections.set(socket, 0);
      this.#showConnections();
      socket.once("close", () => {
        this.#connections.delete(socket);
        this.#showConnections();
      });
    });
    this.#server.maxConnections = options.clientConnectionsMax;
    // node:http drops what is beyond a number of headers in silence; here their bytes are the bound.
    this.#server.maxHeadersCount = 0;
    this.#boundLate(options);
    this.#server.on("connect", (_, socket) => this.#refuse(new Error("CONNECT"), socket));
    this.#server.on("clientError", (error, socket) => this.#refuse(error, socket));
  }

  #boundLate({ requestTimeoutMaxMs, clientRequestTimeoutMs }: HttpApiOptions): void {
    const { refused } = this.#modules.telemetry.metrics;
    this.#server.on("drop", () => refused.with("clientConnectionsMax").add());
    // No operation takes longer and no request arrives later: whoever moves nothing for so long takes
    // no answers.
    this.#server.setTimeout(requestTimeoutMaxMs + clientRequestTimeoutMs, (socket) => {
      refused.with("clientRequestTimeoutMs").add();
      socket.destroy();
    });
  }

  #refuse(error: Error, socket: Duplex): void {
    const { problems, refused } = this.#modules.telemetry.metrics;
    if ("code" in error && error.code === "ERR_HTTP_REQUEST_TIMEOUT") {
      refused.with("clientRequestTimeoutMs").add();
    }
    const problem = this.#unparsed.refuse(error, socket, this.#nextRequestId());
    if (problem !== undefined) problems.with(problem.code).add();
  }

  #nextRequestId(): string {
    this.#requestCount += 1;
    return `${this.#modules.view.id}-${this.#requestCount.toString(36)}`;
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
  async drain(): Promise<void> {
    this.#draining = true;
    // Not the HTTP server's own close, nor closeIdleConnections: for them a connection is idle as soon
    // as its answer is complete in memory, and they would cut off what a slow client has not read yet.
    const closed = this.#server.listening ? once(this.#server, "close") : undefined;
    NetServer.prototype.close.call(this.#server);
    for (const [socket, unanswered] of this.#connections) if (unanswered === 0) socket.destroy();
    await closed;
    this.#server.close(); // stops node:http's timer
  }

  /** Ends whatever is left. */
  abort(): void {
    this.#server.closeAllConnections();
  }

  #showConnections(): void {
    this.#modules.telemetry.metrics.clientConnections.with().set(this.#connections.size);
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    this.#count(socket, 1);
    response.once("finish", () => this.#count(socket, -1));
    const exchange = new Exchange({
      request,
      response,
      requestId: requestIdOf(request) ?? this.#nextRequestId(),
      lastOnConnection: () => this.#modules.view.state === "draining",
    });
    this.#unparsed.began(exchange);
    this.#dispatch(exchange).catch((error: unknown) =>
      exchange.fail(error, this.#modules.telemetry),
    );
  }

  #count(socket: Socket, change: 1 | -1): void {
    const unanswered = this.#connections.get(socket);
    if (unanswered === undefined) return; // closed
    this.#connections.set(socket, unanswered + change);
    // What began before the drain did not tell its client that the connection ends.
    if (this.#draining && unanswered + change === 0) socket.destroySoon();
  }

  async #dispatch(exchange: Exchange): Promise<void> {
    const { request } = exchange;
    const { method = "" } = request;
    const url = originForm(request.url ?? "");
    request.url = url;
    checkShape(request);
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
