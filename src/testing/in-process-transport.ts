import { ByteWriter } from "../core/codec.ts";
import type { NodeId } from "../core/ids.ts";
import type { Clock, Instant, Timer } from "../ports/clock.ts";
import type { Telemetry } from "../ports/telemetry.ts";
import type {
  OutgoingRequest,
  PeerState,
  RequestHandler,
  Transport,
  TransportEvents,
} from "../ports/transport.ts";
import type { Host, InProcessNetwork, Message } from "./in-process-network.ts";

const WRITER_BYTES = 256;
const EMPTY = { payload: new Uint8Array(0), request: new Uint8Array(0) } as const;
/** Silence and deadlines are looked for this often within `peerSilenceMs`. */
const SWEEPS_PER_SILENCE = 4;

export interface InProcessOptions {
  readonly peerInFlightMax: number;
  readonly peerSilenceMs: number;
  readonly peerReconnectDelayMs: number;
}

interface InProcessModules extends TransportEvents {
  readonly network: InProcessNetwork;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

/** This node's connection to one peer. */
interface Link {
  state: PeerState;
  readonly pending: Map<number, OutgoingRequest>;
  /** Since when the peer has owed an answer and said nothing. */
  silentSince: Instant | undefined;
  sweptAt: Instant;
  sweepTimer: Timer | undefined;
  redialTimer: Timer | undefined;
}

/** Transport over an {@link InProcessNetwork}: payloads travel as bytes, as over a wire. */
export class InProcessTransport implements Transport, Host {
  readonly clock: Clock;
  readonly handler: RequestHandler;
  readonly #self: NodeId;
  readonly #options: InProcessOptions;
  readonly #modules: InProcessModules;
  readonly #links = new Map<NodeId, Link>();
  #nextCorrelation = 0;
  #closed = false;

  private constructor(self: NodeId, options: InProcessOptions, modules: InProcessModules) {
    this.clock = modules.clock;
    this.handler = modules.handler;
    this.#self = self;
    this.#options = options;
    this.#modules = modules;
  }

  static open(self: NodeId, options: InProcessOptions, modules: InProcessModules): Transport {
    const transport = new InProcessTransport(self, options, modules);
    modules.network.join(self, transport);
    return transport;
  }

  send(to: NodeId, request: OutgoingRequest): void {
    const { network, telemetry } = this.#modules;
    const link = this.#links.get(to);
    if (link?.state.kind !== "connected") return request.onReply({ kind: "not-sent" });
    if (link.pending.size >= this.#options.peerInFlightMax) {
      telemetry.metrics.refused.with("peerInFlightMax").add();
      return request.onReply({ kind: "not-sent" });
    }
    const correlation = this.#nextCorrelation;
    this.#nextCorrelation += 1;
    link.pending.set(correlation, request);
    link.silentSince ??= this.clock.now();
    if (link.sweepTimer === undefined) this.#armSweep(to, link);
    const payload = encoded((writer) => request.encode(writer));
    const asked = { from: this.#self, to, leg: "request", payload, request: payload } as const;
    let arrivals = 0;
    network.carry(asked, this.#self, ({ handler }) => {
      arrivals += 1;
      // A second copy is done like the first; but on a connection nobody hears a second answer, and
      // none that overtakes the first.
      const isFirst = arrivals === 1;
      handler(payload, (encode) => {
        if (!isFirst) return;
        const answer = { from: to, to: this.#self, leg: "answer", request: payload } as const;
        this.#carryAnswer({ ...answer, payload: encoded(encode) }, correlation);
      });
    });
  }

  peerState(peer: NodeId): PeerState {
    return this.#links.get(peer)?.state ?? { kind: "unreachable", reason: "no such peer" };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const peer of this.#links.keys()) this.lose(peer, "this node stops");
    this.#modules.network.leave(this.#self);
  }

  /** Says hello to a peer, again and again while it hears nothing. */
  dial(peer: NodeId): void {
    const { network } = this.#modules;
    const link = this.#linkTo(peer);
    if (this.#closed || link.state.kind === "connected" || !network.isOpen(this.#self, peer)) {
      return;
    }
    this.#redialLater(peer, link);
    const hello = { from: this.#self, to: peer, leg: "connect", ...EMPTY } as const;
    const welcome = { from: peer, to: this.#self, leg: "accept", ...EMPTY } as const;
    network.carry(hello, this.#self, () =>
      network.carry(welcome, this.#self, (host) => {
        if (host === this) this.#connected(peer, link);
      }),
    );
  }

  lose(peer: NodeId, reason: string): void {
    const { metrics } = this.#modules.telemetry;
    const link = this.#linkTo(peer);
    if (link.state.kind === "connected") {
      metrics.peerConnections.with(peer, "lost").add();
      metrics.peerConnected.with(peer).set(0);
    }
    link.state = { kind: "unreachable", reason };
    link.silentSince = undefined;
    link.sweepTimer?.cancel();
    link.sweepTimer = undefined;
    link.redialTimer?.cancel();
    if (!this.#closed) this.#redialLater(peer, link);
    const orphans = [...link.pending.values()];
    link.pending.clear();
    for (const request of orphans) request.onReply({ kind: "unknown", reason: "connection-lost" });
  }

  #connected(peer: NodeId, link: Link): void {
    const { metrics } = this.#modules.telemetry;
    if (this.#closed || link.state.kind === "connected") return;
    link.redialTimer?.cancel();
    link.state = { kind: "connected" };
    metrics.peerConnections.with(peer, "connected").add();
    metrics.peerConnected.with(peer).set(1);
    this.#modules.onConnected?.(peer);
  }

  #redialLater(peer: NodeId, link: Link): void {
    link.redialTimer?.cancel();
    link.redialTimer = this.clock.after(this.#options.peerReconnectDelayMs, () => this.dial(peer));
  }

  /** Runs at the peer: whoever asked may be gone by now. */
  #carryAnswer(answer: Message, correlation: number): void {
    this.#modules.network.carry(answer, this.#self, (host) => {
      if (host === this) this.#receive(answer.from, correlation, answer.payload);
    });
  }

  #receive(peer: NodeId, correlation: number, payload: Uint8Array): void {
    const link = this.#linkTo(peer);
    const request = link.pending.get(correlation);
    link.pending.delete(correlation);
    link.silentSince = link.pending.size > 0 ? this.clock.now() : undefined;
    // Undefined: a second copy, or an answer that nobody waits for any more.
    request?.onReply({ kind: "payload", payload });
  }

  #armSweep(peer: NodeId, link: Link): void {
    const everyMs = this.#options.peerSilenceMs / SWEEPS_PER_SILENCE;
    link.sweptAt = this.clock.now();
    link.sweepTimer = this.clock.after(everyMs, () => {
      link.sweepTimer = undefined;
      // After a pause of this node answers may be about to arrive: nobody is judged now.
      const onTime = this.clock.now() - link.sweptAt <= 2 * everyMs;
      if (onTime) this.#sweep(peer, link);
      if (link.silentSince !== undefined) this.#armSweep(peer, link);
    });
  }

  #sweep(peer: NodeId, link: Link): void {
    const now = this.clock.now();
    const { peerSilenceMs } = this.#options;
    if (link.silentSince !== undefined && now - link.silentSince > peerSilenceMs) {
      return this.lose(peer, `silent for ${peerSilenceMs} ms with requests unanswered`);
    }
    for (const [correlation, request] of link.pending) {
      if (request.deadline >= now) continue;
      link.pending.delete(correlation);
      request.onReply({ kind: "unknown", reason: "deadline" });
    }
  }

  #linkTo(peer: NodeId): Link {
    let link = this.#links.get(peer);
    if (link === undefined) {
      link = {
        state: { kind: "unreachable", reason: "not connected yet" },
        pending: new Map(),
        silentSince: undefined,
        sweptAt: 0,
        sweepTimer: undefined,
        redialTimer: undefined,
      };
      this.#links.set(peer, link);
    }
    return link;
  }
}

function encoded(encode: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter(WRITER_BYTES);
  encode(writer);
  return writer.written();
}
