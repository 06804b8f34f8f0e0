import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import type { Address } from "../../../core/config.ts";
import { parseNodeId } from "../../../core/ids.ts";
import type { NodeId } from "../../../core/ids.ts";
import type { Telemetry } from "../../../ports/telemetry.ts";
import type { RequestHandler } from "../../../ports/transport.ts";
import { closeServer, listen } from "../listen.ts";
import { FrameConnection } from "./frame-connection.ts";
import {
  CHALLENGE_HEADER,
  NONCE_BYTES,
  PEER_PATH,
  PROOF_HEADER,
  proofOf,
  REFUSAL_HEADER,
  refusalOf,
  sameProof,
  UPGRADE_PROTOCOL,
} from "./handshake.ts";
import type { PeerIdentity } from "./handshake.ts";

const CONNECTIONS_MAX = 1_024;
const HEADER_BYTES_MAX = 8 * 1024;
const HEADERS_TIMEOUT_MS = 5_000;
/** How often late handshakes are looked for. */
const LATE_CHECK_MS = 500;

export interface PeerListenerOptions {
  readonly identity: PeerIdentity;
  readonly address: Address;
  readonly members: readonly NodeId[];
  readonly payloadBytesMax: number;
  readonly peerQueueBytesMax: number;
}

interface PeerListenerModules {
  readonly telemetry: Telemetry;
  readonly handler: RequestHandler;
  /** A peer has proved itself: it is evidently up. */
  readonly onPeer: (peer: NodeId) => void;
}

/** The peer port: takes handshakes and serves the requests of each peer on one connection. */
export class PeerListener {
  readonly #options: PeerListenerOptions;
  readonly #modules: PeerListenerModules;
  readonly #server: Server;
  /** The challenge that a socket was given, good for one upgrade on that socket. */
  readonly #challenges = new WeakMap<Socket, string>();
  readonly #connections = new Map<NodeId, FrameConnection>();
  readonly #sockets = new Set<Socket>();

  private constructor(options: PeerListenerOptions, modules: PeerListenerModules) {
    this.#options = options;
    this.#modules = modules;
    this.#server = createServer({
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: LATE_CHECK_MS,
    });
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      // Whoever serves the socket hears of its end by "close".
      socket.on("error", () => {});
    });
    this.#server.on("request", (request, response) => {
      const refusal = this.#refusal(request);
      if (refusal !== undefined) {
        response.writeHead(403, { [REFUSAL_HEADER]: encodeURIComponent(refusal) }).end();
        return;
      }
      const challenge = randomBytes(NONCE_BYTES).toString("hex");
      this.#challenges.set(request.socket, challenge);
      response.writeHead(200, { [CHALLENGE_HEADER]: challenge }).end();
    });
    this.#server.on("upgrade", (request, _, head) => this.#upgrade(request, head));
  }

  static async open(
    options: PeerListenerOptions,
    modules: PeerListenerModules,
  ): Promise<PeerListener> {
    const listener = new PeerListener(options, modules);
    await listen(listener.#server, options.address);
    return listener;
  }

  get address(): Address {
    const bound = this.#server.address();
    if (bound === null || typeof bound === "string") return this.#options.address;
    return { host: bound.address, port: bound.port };
  }

  async close(): Promise<void> {
    const closed = closeServer(this.#server);
    for (const connection of this.#connections.values()) connection.destroy("this node stops");
    // Strangers too, who may say nothing for ever and keep their end open.
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #refusal(request: IncomingMessage): string | undefined {
    if (request.url !== PEER_PATH) return "this is a peer port";
    const refusal = refusalOf(request.headers, this.#options.identity);
    if (refusal !== undefined) return refusal;
    const from = request.headers["kv-peer-from"];
    const known = this.#options.members.some((member) => member === from);
    return known ? undefined : `'${String(from)}' is no member`;
  }

  #upgrade(request: IncomingMessage, head: Buffer): void {
    const { identity } = this.#options;
    const { socket, headers } = request;
    const challenge = this.#challenges.get(socket) ?? "";
    this.#challenges.delete(socket);
    const refusal =
      this.#refusal(request) ??
      (challenge !== "" &&
      head.byteLength === 0 &&
      headers.upgrade === UPGRADE_PROTOCOL &&
      sameProof(
        proofOf("dialler", { secret: identity.secret, challenge, headers }),
        headers[PROOF_HEADER],
      )
        ? undefined
        : "the proof is wrong: the secrets differ");
    if (refusal !== undefined) {
      this.#modules.telemetry.log.warn({ from: headers["kv-peer-from"], refusal }, "peer refused");
      socket.write(
        `HTTP/1.1 403 Forbidden\r\n${REFUSAL_HEADER}: ${encodeURIComponent(refusal)}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
      );
      socket.destroySoon();
      return;
    }
    const proof = proofOf("listener", { secret: identity.secret, challenge, headers });
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${UPGRADE_PROTOCOL}\r\n${PROOF_HEADER}: ${proof}\r\n\r\n`,
    );
    this.#serve(parseNodeId(String(headers["kv-peer-from"])), socket);
  }

  /** A peer has one connection here: a new one replaces what may be left of a broken one. */
  #serve(peer: NodeId, socket: Socket): void {
    const { handler, onPeer, telemetry } = this.#modules;
    this.#connections.get(peer)?.destroy("the peer connected anew");
    const { payloadBytesMax, peerQueueBytesMax } = this.#options;
    const limits = { payloadBytesMax, pauseAboveBytes: peerQueueBytesMax };
    const connection = new FrameConnection(socket, limits, {
      onFrame: (correlation, payload) =>
        handler(payload, (encode) => connection.append(correlation, encode)),
      onClose: (reason) => {
        if (this.#connections.get(peer) === connection) this.#connections.delete(peer);
        telemetry.log.debug({ peer, reason }, "inbound peer connection ended");
      },
    });
    this.#connections.set(peer, connection);
    onPeer(peer);
  }
}
