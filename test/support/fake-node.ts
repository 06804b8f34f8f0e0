import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ERRORS } from "../../src/core/errors.ts";
import type { ErrorCode } from "../../src/core/errors.ts";

export interface SeenRequest {
  readonly method: string;
  /** Path without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** The query byte for byte, with its question mark. */
  readonly search: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** `reset` cuts the connection after the request arrived, `hang` never answers. */
export type Behaviour = (request: SeenRequest) => Answered | Promise<Answered>;
type Answered = Reply | "reset" | "hang";

const QUORUM = { "kv-quorum": "needed=2, acked=3, epoch=1" };
export const WRITTEN: Reply = { status: 204, headers: { ...QUORUM, etag: '"e1"' } };

export function found(
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  return { status: 200, headers: { ...QUORUM, etag: '"e1"', ...headers }, body };
}

/** Of a key with several siblings. */
export function siblings(context: string, items: readonly unknown[]): Reply {
  return {
    status: 300,
    headers: { ...QUORUM, "content-type": "application/json", "kv-context": context },
    body: JSON.stringify(items),
  };
}

export function problem(code: ErrorCode, fields: Readonly<Record<string, unknown>> = {}): Reply {
  const { status, title, outcome, retry } = ERRORS[code];
  return {
    status: status ?? 500,
    headers: { "content-type": "application/problem+json" },
    body: JSON.stringify({ title, detail: `about ${code}`, code, outcome, retry, ...fields }),
  };
}

/** Keeps what is put, as a cluster in peace would. */
export function keepsValues(): Behaviour {
  const stored = new Map<string, Reply>();
  return ({ method, path, headers, body }) => {
    if (method === "PUT") {
      const kept = Object.fromEntries(
        (["content-type", "content-encoding"] as const).flatMap((name) =>
          headers[name] === undefined ? [] : [[name, headers[name]]],
        ),
      );
      stored.set(path, found(body, kept));
      return WRITTEN;
    }
    if (method === "DELETE") {
      stored.delete(path);
      return WRITTEN;
    }
    return stored.get(path) ?? problem("key-not-found");
  };
}

/** An HTTP server on loopback that behaves as a test says, and remembers what it was asked. */
export class FakeNode implements AsyncDisposable {
  readonly requests: SeenRequest[] = [];
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** Behaviours are used up in turn; the last one stays. */
  static async open(...behaviours: [Behaviour, ...Behaviour[]]): Promise<FakeNode> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const node = new FakeNode(server);
    let turn = 0;
    server.on("request", (request, response) => {
      const behave = behaviours[Math.min(turn++, behaviours.length - 1)] ?? behaviours[0];
      void node.#serve(request, response, behave);
    });
    return node;
  }

  /** An address on which nothing listens. */
  static async closedUrl(): Promise<string> {
    await using node = await FakeNode.open(() => "hang");
    return node.url;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse, behave: Behaviour) {
    const body = Buffer.concat(await request.toArray());
    const { pathname, searchParams, search } = new URL(request.url ?? "/", this.url);
    const { method = "", headers } = request;
    const seen = { method, path: pathname, query: searchParams, search, headers, body };
    this.requests.push(seen);
    const reply = await behave(seen);
    if (reply === "reset") request.socket.destroy();
    else if (reply !== "hang") response.writeHead(reply.status, reply.headers).end(reply.body);
  }
}
