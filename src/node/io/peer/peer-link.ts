import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { Client } from "undici";
import { addressText } from "../../../core/config.ts";
import type { NodeId } from "../../../core/ids.ts";
import type { Member } from "../../../core/layout/layout.ts";
import type { Clock, Instant, Timer } from "../../../ports/clock.ts";
import type { Rng } from "../../../ports/rng.ts";
import type { Telemetry } from "../../../ports/telemetry.ts";
import type { OutgoingRequest, PeerState } from "../../../ports/transport.ts";
import { FrameConnection } from "./frame-connection.ts";
import {
  CHALLENGE_HEADER,
  introductionHeaders,
  NONCE_BYTES,
  PEER_PATH,
  PROOF_HEADER,
  proofOf,
  REFUSAL_HEADER,
  sameProof,
  UPGRADE_PROTOCOL,
} from "./handshake.ts";
import type { PeerIdentity } from "./handshake.ts";

const CORRELATION_COUNT = 2 ** 32;
const RECONNECT_DELAY_FACTOR_MAX = 10;
/** The sweep for silence and deadlines runs this often within `peerSilenceMs`. */
const SWEEPS_PER_SILENCE = 4;

export interface PeerLinkOptions {
  readonly identity: PeerIdentity;
  readonly peer: Member;
  readonly payloadBytesMax: number;
  readonly peerQueueBytesMax: number;
  readonly peerInFlightMax: number;
  readonly peerConnectTimeoutMs: number;
  readonly peerSilenceMs: number;
  readonly peerReconnectDelayMs: number;
}

interface PeerLinkModules {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly telemetry: Telemetry;
  readonly onConnected?: (peer: NodeId) => void;
}

/** This node's connection to one peer: dials, redials, sends requests, pairs answers with them. */
export class PeerLink {
  readonly #options: PeerLinkOptions;
  readonly #modules: PeerLinkModules;
  /** In the order in which they were sent. */
  readonly #pending = new Map<number, OutgoingRequest>();
  #connection: FrameConnection | undefined;
  #state: PeerState = { kind: "unreachable", reason: "not connected yet" };
  #nextCorrelation = 0;
  /** Since when the peer has owed an answer and said nothing. */
  #silentSince: Instant | undefined;
  #sweptAt: Instant = 0;
  #sweepTimer: Timer | undefined;
  #redialTimer: Timer | undefined;
  #redialDelayMs: number;
  #dialling: AbortController | undefined;
  #closed = false;

  constructor(options: PeerLinkOptions, modules: PeerLinkModules) {
    this.#options = options;
    this.#modules = modules;
    this.#redialDelayMs = options.peerReconnectDelayMs;
    this.#connectedGauge().set(0);
  }

  get state(): PeerState {
    return this.#state;
  }

  showState(): void {
    const { peerInflight, peerQueued } = this.#modules.telemetry.metrics;
    const { id } = this.#options.peer;
    peerInflight.with(id).set(this.#pending.size);
    peerQueued.with(id).set(this.#connection?.queuedBytes ?? 0);
  }

  send(request: OutgoingRequest): void {
    const connection = this.#connection;
    if (connection === undefined) return request.onReply({ kind: "not-sent" });
    const { peerInFlightMax, peerQueueBytesMax } = this.#options;
    if (this.#pending.size >= peerInFlightMax) return this.#overflow("peerInFlightMax", request);
    if (connection.queuedBytes >= peerQueueBytesMax) {
      return this.#overflow("peerQueueBytesMax", request);
    }
    const correlation = this.#nextCorrelation;
    this.#nextCorrelation = (correlation + 1) % CORRELATION_COUNT;
    this.#pending.set(correlation, request);
    this.#silentSince ??= this.#modules.clock.now();
    connection.append(correlation, (writer) => request.encode(writer));
    if (this.#sweepTimer === undefined) this.#armSweep();
  }

  /** Dials at once, unless connected or dialling. */
  dial(): void {
    if (this.#closed || this.#connection !== undefined || this.#dialling !== undefined) return;
    this.#redialTimer?.cancel();
    this.#dialling = new AbortController();
    void this.#connect(this.#dialling);
  }

  close(): void {
    this.#closed = true;
    this.#redialTimer?.cancel();
    this.#sweepTimer?.cancel();
    this.#dialling?.abort();
    this.#connection?.destroy("this node stops");
  }

  #overflow(bound: "peerInFlightMax" | "peerQueueBytesMax", request: OutgoingRequest): void {
    this.#modules.telemetry.metrics.refused.with(bound).add();
    request.onReply({ kind: "not-sent" });
  }

  async #connect(dialling: AbortController): Promise<void> {
    const { clock, telemetry } = this.#modules;
    const { peer, peerConnectTimeoutMs, peerReconnectDelayMs } = this.#options;
    const timer = clock.after(peerConnectTimeoutMs, () =>
      dialling.abort(new Error(`no handshake within ${peerConnectTimeoutMs} ms`)),
    );
    const client = new Client(`http://${addressText(peer.address)}`, { pipelining: 1 });
    try {
      const socket = await this.#handshake(client, dialling.signal);
      if (this.#closed) {
        socket.destroy();
        return;
      }
      this.#redialDelayMs = peerReconnectDelayMs;
      this.#use(socket);
    } catch (error) {
      await client.destroy();
      telemetry.metrics.peerConnections.with(peer.id, "failed").add();
      this.#unreachable(reasonOf(error));
    } finally {
      timer.cancel();
      this.#dialling = undefined;
      if (this.#connection === undefined) this.#redialLater();
    }
  }

  async #handshake(client: Client, signal: AbortSignal): Promise<Socket> {
    const { identity, peer } = this.#options;
    const nonce = randomBytes(NONCE_BYTES).toString("hex");
    const { id: from, clusterId, epoch, secret } = identity;
    const headers = introductionHeaders({ from, to: peer.id, clusterId, epoch, nonce });
    const offer = await client.request({ method: "GET", path: PEER_PATH, headers, signal });
    await offer.body.dump();
    const refusal = offer.headers[REFUSAL_HEADER];
    if (typeof refusal === "string") throw new Error(`refused: ${decodeURIComponent(refusal)}`);
    const challenge = offer.headers[CHALLENGE_HEADER];
    if (typeof challenge !== "string") throw new Error("the address is not a Quorate peer port");
    const upgrade = await client
      .upgrade({
        method: "GET",
        path: PEER_PATH,
        protocol: UPGRADE_PROTOCOL,
        headers: { ...headers, [PROOF_HEADER]: proofOf("dialler", { secret, challenge, headers }) },
        signal,
      })
      .catch((error: unknown) => {
        if (signal.aborted) throw error;
        throw new Error("refused: the peer does not accept this node's secret", { cause: error });
      });
    const expected = proofOf("listener", { secret, challenge, headers });
    if (!sameProof(expected, upgrade.headers[PROOF_HEADER])) {
      upgrade.socket.destroy();
      throw new Error("the peer does not know the secret");
    }
    return upgrade.socket as Socket;
  }

  #use(socket: Socket): void {
    const { telemetry } = this.#modules;
    const { peer } = this.#options;
    this.#state = { kind: "connected" };
    this.#connection = new FrameConnection(socket, this.#options, {
      onFrame: (correlation, payload) => this.#receive(correlation, payload),
      onClose: (reason) => this.#lost(reason),
    });
    this.#connectedGauge().set(1);
    telemetry.metrics.peerConnections.with(peer.id, "connected").add();
    telemetry.log.info({ peer: peer.id }, "peer connected");
    this.#modules.onConnected?.(peer.id);
  }

  #receive(correlation: number, payload: Uint8Array): void {
    const request = this.#pending.get(correlation);
    this.#pending.delete(correlation);
    this.#silentSince = this.#pending.size > 0 ? this.#modules.clock.now() : undefined;
    // Undefined: an answer after its deadline, nobody waits for it any more.
    request?.onReply({ kind: "payload", payload });
  }

  #lost(reason: string): void {
    this.#connection = undefined;
    this.#silentSince = undefined;
    this.#connectedGauge().set(0);
    this.#modules.telemetry.metrics.peerConnections.with(this.#options.peer.id, "lost").add();
    this.#unreachable(reason);
    const orphans = [...this.#pending.values()];
    this.#pending.clear();
    for (const request of orphans) request.onReply({ kind: "unknown", reason: "connection-lost" });
    if (this.#dialling === undefined) this.#redialLater();
  }

  #unreachable(reason: string): void {
    const news = this.#state.kind === "connected" || this.#state.reason !== reason;
    this.#state = { kind: "unreachable", reason };
    if (news && !this.#closed) {
      this.#modules.telemetry.log.warn({ peer: this.#options.peer.id, reason }, "peer unreachable");
    }
  }

  #redialLater(): void {
    if (this.#closed) return;
    const { clock, rng } = this.#modules;
    const { peerReconnectDelayMs } = this.#options;
    const delayMs = this.#redialDelayMs * (0.5 + rng.fraction());
    this.#redialDelayMs = Math.min(
      this.#redialDelayMs * 2,
      peerReconnectDelayMs * RECONNECT_DELAY_FACTOR_MAX,
    );
    this.#redialTimer?.cancel();
    this.#redialTimer = clock.after(delayMs, () => this.dial());
  }

  #armSweep(): void {
    const everyMs = this.#options.peerSilenceMs / SWEEPS_PER_SILENCE;
    this.#sweptAt = this.#modules.clock.now();
    this.#sweepTimer = this.#modules.clock.after(everyMs, () => {
      this.#sweepTimer = undefined;
      this.#sweep(everyMs);
      if (this.#silentSince !== undefined && !this.#closed) this.#armSweep();
    });
  }

  #sweep(everyMs: number): void {
    const { peerSilenceMs } = this.#options;
    const now = this.#modules.clock.now();
    // This node itself was paused: answers may lie unread in the socket, so nobody is judged now.
    if (now - this.#sweptAt > 2 * everyMs) return;
    if (this.#silentSince !== undefined && now - this.#silentSince > peerSilenceMs) {
      this.#connection?.destroy(`silent for ${peerSilenceMs} ms with requests unanswered`);
      return;
    }
    for (const [correlation, request] of this.#pending) {
      if (request.deadline >= now) continue;
      this.#pending.delete(correlation);
      request.onReply({ kind: "unknown", reason: "deadline" });
    }
  }

  #connectedGauge() {
    return this.#modules.telemetry.metrics.peerConnected.with(this.#options.peer.id);
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "AbortError" && error.cause instanceof Error) return error.cause.message;
  return error.message || ("code" in error ? String(error.code) : error.name);
}
