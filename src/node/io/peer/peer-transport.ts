import type { Address } from "../../../core/config.ts";
import type { NodeId } from "../../../core/ids.ts";
import type { Member } from "../../../core/layout/layout.ts";
import type { Clock } from "../../../ports/clock.ts";
import type { Rng } from "../../../ports/rng.ts";
import type { Telemetry } from "../../../ports/telemetry.ts";
import type {
  OutgoingRequest,
  PeerState,
  Transport,
  TransportEvents,
} from "../../../ports/transport.ts";
import type { PeerIdentity } from "./handshake.ts";
import { PeerLink } from "./peer-link.ts";
import type { PeerLinkOptions } from "./peer-link.ts";
import { PeerListener } from "./peer-listener.ts";

export interface PeerTransportOptions extends Omit<PeerLinkOptions, "peer"> {
  readonly identity: PeerIdentity;
  readonly address: Address;
  /** All members, this node included. */
  readonly members: readonly Member[];
}

interface PeerTransportModules extends TransportEvents {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly telemetry: Telemetry;
}

/** Transport over TCP: one listener, and one link of our own to each peer. */
export class PeerTransport implements Transport {
  readonly #listener: PeerListener;
  readonly #links: ReadonlyMap<NodeId, PeerLink>;

  private constructor(listener: PeerListener, links: ReadonlyMap<NodeId, PeerLink>) {
    this.#listener = listener;
    this.#links = links;
  }

  static async open(
    options: PeerTransportOptions,
    modules: PeerTransportModules,
  ): Promise<PeerTransport> {
    const links = new Map<NodeId, PeerLink>();
    for (const peer of options.members) {
      if (peer.id === options.identity.id) continue;
      links.set(peer.id, new PeerLink({ ...options, peer }, modules));
    }
    const listener = await PeerListener.open(
      { ...options, members: options.members.map(({ id }) => id) },
      { ...modules, onPeer: (peer) => links.get(peer)?.dial() },
    );
    for (const link of links.values()) link.dial();
    return new PeerTransport(listener, links);
  }

  get address(): Address {
    return this.#listener.address;
  }

  send(to: NodeId, request: OutgoingRequest): void {
    const link = this.#links.get(to);
    if (link === undefined) request.onReply({ kind: "not-sent" });
    else link.send(request);
  }

  peerState(peer: NodeId): PeerState {
    return this.#links.get(peer)?.state ?? { kind: "unreachable", reason: "no such peer" };
  }

  /** Sets the metrics that show how the links stand. */
  showState(): void {
    for (const link of this.#links.values()) link.showState();
  }

  async close(): Promise<void> {
    for (const link of this.#links.values()) link.close();
    await this.#listener.close();
  }
}
