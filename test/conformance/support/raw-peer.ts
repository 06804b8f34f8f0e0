import { crc32 } from "node:zlib";
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingHttpHeaders } from "node:http";
import { connect, createServer as createTcpServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import type { Address } from "../../../src/core/config.ts";
import type { NodeId } from "../../../src/core/ids.ts";
import { FIRST_EPOCH_NUMBER, Layout } from "../../../src/core/layout/layout.ts";
import type { Member } from "../../../src/core/layout/layout.ts";
import {
  CHALLENGE_HEADER,
  introductionHeaders,
  PEER_PATH,
  PROOF_HEADER,
  proofOf,
  REFUSAL_HEADER,
  UPGRADE_PROTOCOL,
} from "../../../src/node/io/peer/handshake.ts";
import { CLUSTER } from "./peers.ts";

interface ResponseHead {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
}

export type Headers = Readonly<Record<string, string>>;

/** What a member says of itself when it dials another. */
export function introduction(from: NodeId, to: NodeId, members: readonly Member[]): Headers {
  const { epoch } = new Layout({ number: FIRST_EPOCH_NUMBER, members });
  const nonce = "0123456789abcdef0123456789abcdef";
  return introductionHeaders({ from, to, clusterId: CLUSTER, epoch, nonce });
}

/** A frame as it travels: length and checksum of its body, the body. */
export function framed(body: Uint8Array): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(body.byteLength, 0);
  header.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([header, body]);
}

/** A message: its correlation, its payload. */
export function frame(correlation: number, payload: Uint8Array): Buffer {
  const body = Buffer.alloc(4 + payload.byteLength);
  body.writeUInt32BE(correlation, 0);
  body.set(payload, 4);
  return framed(body);
}

/** The beginning of a frame whose payload is `bytes` long. */
export function frameHeader(bytes: number): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(4 + bytes, 0);
  return header;
}

/** Dials a peer port byte by byte, well-behaved or not. */
export class RawDialler implements Disposable {
  readonly socket: Socket;
  /** The other side ended the connection, in whatever way. */
  closed = false;
  #received: Buffer = Buffer.alloc(0);
  #onData: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#onData?.();
    });
    socket.on("error", () => {});
    for (const event of ["end", "close"]) {
      socket.on(event, () => {
        this.closed = true;
        this.#onData?.();
      });
    }
  }

  static async open({ host, port }: Address): Promise<RawDialler> {
    const socket = connect({ host, port, allowHalfOpen: true });
    await once(socket, "connect");
    return new RawDialler(socket);
  }

  /** What has arrived and was not taken by a response head. */
  get received(): Buffer {
    return this.#received;
  }

  /** First of the two requests of the handshake. */
  async offer(headers: Headers): Promise<ResponseHead> {
    this.socket.write(requestText(headers));
    return this.#responseHead();
  }

  /** The second, whose proof the caller makes. */
  async upgrade(headers: Headers, proof: string): Promise<ResponseHead> {
    this.socket.write(upgradeText({ ...headers, [PROOF_HEADER]: proof }));
    return this.#responseHead();
  }

  /** The whole handshake, as a node does it. */
  async shakeHands(headers: Headers, secret: string | undefined): Promise<ResponseHead> {
    const offer = await this.offer(headers);
    const challenge = offer.headers.get(CHALLENGE_HEADER) ?? "";
    return this.upgrade(headers, proofOf("dialler", { secret, challenge, headers }));
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  async #responseHead(): Promise<ResponseHead> {
    let end = this.#received.indexOf("\r\n\r\n");
    while (end < 0) {
      if (this.closed) throw new Error("the connection ended before the response");
      await new Promise<void>((resolve) => {
        this.#onData = resolve;
      });
      end = this.#received.indexOf("\r\n\r\n");
    }
    const [statusLine = "", ...lines] = this.#received.toString("latin1", 0, end).split("\r\n");
    const headers = new Map(
      lines.map((line): [string, string] => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    this.#received = this.#received.subarray(end + 4);
    // No response of this protocol has a body; what node:http sends for an empty one is skipped.
    if (headers.get("transfer-encoding") === "chunked") await this.#skip("0\r\n\r\n");
    return { status: Number(statusLine.split(" ")[1]), headers };
  }

  async #skip(text: string): Promise<void> {
    while (this.#received.byteLength < text.length && !this.closed) {
      await new Promise<void>((resolve) => {
        this.#onData = resolve;
      });
    }
    this.#received = this.#received.subarray(text.length);
  }
}

export function requestText(headers: Headers, path = PEER_PATH): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\nHost: peer\r\n${lines.join("")}\r\n`;
}

export function upgradeText(headers: Headers): string {
  return requestText({ ...headers, Connection: "Upgrade", Upgrade: UPGRADE_PROTOCOL });
}

export interface FakePeer extends AsyncDisposable {
  readonly address: Address;
  /** Connections that came through the handshake, the latest last. */
  readonly sockets: readonly Socket[];
}

/**
 * A peer port that takes every dialler and does with its frames what `serve` says. With `refusal` it
 * refuses them all; `knows` is the secret under which it proves itself.
 */
export async function openFakePeer(opts: {
  readonly serve?: (socket: Socket) => void;
  readonly refusal?: string;
  readonly knows?: string;
}): Promise<FakePeer> {
  const sockets: Socket[] = [];
  const challenge = "00112233445566778899aabbccddeeff";
  const server = createServer((_request, response) => {
    if (opts.refusal === undefined) {
      response.writeHead(200, { [CHALLENGE_HEADER]: challenge }).end();
    } else {
      response.writeHead(403, { [REFUSAL_HEADER]: encodeURIComponent(opts.refusal) }).end();
    }
  });
  server.on("upgrade", ({ headers }: { headers: IncomingHttpHeaders }, socket: Socket) => {
    const proof = proofOf("listener", { secret: opts.knows, challenge, headers });
    socket.on("error", () => {});
    socket.on("end", () => socket.destroy());
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${UPGRADE_PROTOCOL}\r\n${PROOF_HEADER}: ${proof}\r\n\r\n`,
    );
    sockets.push(socket);
    opts.serve?.(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: { host: "127.0.0.1", port: (server.address() as AddressInfo).port },
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

export interface RecordingProxy extends AsyncDisposable {
  readonly address: Address;
  /** All that the first dialler said. */
  readonly said: () => Buffer;
}

/** Passes connections on to `target` and keeps what the first dialler says. */
export async function openRecordingProxy(target: Address): Promise<RecordingProxy> {
  const sockets = new Set<Socket>();
  const chunks: Buffer[] = [];
  let recording: Socket | undefined;
  const server = createTcpServer((inbound) => {
    const outbound = connect({ host: target.host, port: target.port });
    recording ??= inbound;
    if (recording === inbound) inbound.on("data", (chunk: Buffer) => chunks.push(chunk));
    for (const [socket, other] of [
      [inbound, outbound],
      [outbound, inbound],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => other.destroy());
      socket.pipe(other);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: { host: "127.0.0.1", port: (server.address() as AddressInfo).port },
    said: () => Buffer.concat(chunks),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
