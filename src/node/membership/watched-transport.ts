import type { NodeId } from "../../core/ids.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Telemetry } from "../../ports/telemetry.ts";
import type { OutgoingRequest, PeerState, Transport } from "../../ports/transport.ts";
import type { Member } from "./member.ts";

interface WatchedTransportModules {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly transport: Transport;
  readonly members: ReadonlyMap<NodeId, Member>;
}

/**
 * The transport with an eye on which requests are answered. A silent peer gets no more than
 * `peerSuspectInFlightMax` requests: each may be held until the peer comes back, and the answers of
 * the others are not to wait for memory that a dead peer fills.
 */
export class WatchedTransport implements Transport {
  readonly #inFlightMax: number;
  readonly #modules: WatchedTransportModules;

  constructor(
    { peerSuspectInFlightMax }: { peerSuspectInFlightMax: number },
    modules: WatchedTransportModules,
  ) {
    this.#inFlightMax = peerSuspectInFlightMax;
    this.#modules = modules;
  }

  send(to: NodeId, request: OutgoingRequest): void {
    const { members, telemetry } = this.#modules;
    const suspicion = members.get(to)?.suspicion;
    if (suspicion?.isSilent === true && suspicion.inFlight >= this.#inFlightMax) {
      telemetry.metrics.refused.with("peerSuspectInFlightMax").add();
      return request.onReply({ kind: "not-sent" });
    }
    this.probe(to, request);
  }

  /** Sends also to a silent peer, as a heartbeat must: only an answer ends a suspicion. */
  probe(to: NodeId, request: OutgoingRequest): void {
    const { clock, members, transport } = this.#modules;
    const suspicion = members.get(to)?.suspicion;
    if (suspicion === undefined) return transport.send(to, request);
    const id = suspicion.sent(clock.now());
    transport.send(to, {
      deadline: request.deadline,
      encode: (writer) => request.encode(writer),
      onReply(reply) {
        if (reply.kind === "payload") suspicion.answered(id, clock.now());
        else if (reply.kind === "not-sent") suspicion.unsent(id);
        else suspicion.ended(id, clock.now());
        request.onReply(reply);
      },
    });
  }

  peerState(peer: NodeId): PeerState {
    return this.#modules.transport.peerState(peer);
  }

  /** The transport is its opener's to close. */
  close(): Promise<void> {
    return this.#modules.transport.close();
  }
}
