import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { buffer } from "node:stream/consumers";

/** A request as it reached the stub, the target byte for byte. */
export interface Delivery {
  readonly node: string;
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

export interface Answer {
  readonly status: number;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
}

/** `hang`: never answer. `reset`: close the connection instead of answering. */
export type Behaviour = Fate | Promise<Fate>;
type Fate = Answer | "hang" | "reset";

export interface StubNode {
  /** `host:port` */
  readonly address: string;
  /** Those that brought a request, but for questions whether the node is ready. */
  readonly connectionsUsed: () => number;
  close(): Promise<void>;
}

/** An HTTP server in the place of a node: it hands each whole request to `behave`. */
export async function startStubNode(behave: (delivery: Delivery) => Behaviour): Promise<StubNode> {
  const connections = new Set<Socket>();
  let address = "";
  const server = createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
    if (request.url !== "/readyz") connections.add(request.socket);
    void receive(request, address).then(
      async (delivery) => reply(response, await behave(delivery)),
      () => request.destroy(), // the proxy went away in the middle of the body
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("a TCP socket has a port");
  address = `127.0.0.1:${bound.port}`;
  return {
    address,
    connectionsUsed: () => connections.size,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function receive(request: IncomingMessage, node: string): Promise<Delivery> {
  return {
    node,
    method: request.method ?? "",
    target: request.url ?? "",
    headers: request.headers,
    body: await buffer(request),
  };
}

function reply(response: ServerResponse, behaviour: Fate): void {
  if (behaviour === "hang") return;
  if (behaviour === "reset") {
    response.socket?.destroy();
    return;
  }
  response.writeHead(behaviour.status, behaviour.headers).end(behaviour.body);
}
