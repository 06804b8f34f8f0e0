import { assert } from "../core/assert.ts";
import type { NodeId } from "../core/ids.ts";
import type { Clock } from "../ports/clock.ts";
import type { RequestHandler } from "../ports/transport.ts";

/** `connect` is what a node says to open a connection, `accept` what it hears back. */
export type Leg = "connect" | "accept" | "request" | "answer";

export interface Message {
  /** Who speaks: of an answer the node that was asked. */
  readonly from: NodeId;
  readonly to: NodeId;
  readonly leg: Leg;
  readonly payload: Uint8Array;
  /** The request that this is or answers; empty while a connection is opened. */
  readonly request: Uint8Array;
}

/** When a copy of a message arrives: after so many milliseconds, or once somebody lets it go. */
export type Arrival = number | Promise<void>;

/** The arrivals of the copies of a message; none: it is lost. */
export type Fate = (message: Message) => readonly Arrival[];

export const ARRIVES: Fate = () => [0];
export const IS_LOST: Fate = () => [];

/** A node on the network: one run of one process. */
export interface Host {
  /** What arrives at the node is an event of its clock: it stops and pauses with it. */
  readonly clock: Clock;
  readonly handler: RequestHandler;
  /** The peer may be reachable now. */
  dial(peer: NodeId): void;
  /** The connection to the peer is gone. */
  lose(peer: NodeId, reason: string): void;
}

/**
 * A network without sockets. Each pair of nodes has two connections, one dialled by either side: the
 * requests of the dialler travel on it, and the answers to them. A fault is either known, a `cut`, as
 * when a connection is reset; or silent, the `fate` of single messages, as when packets vanish.
 *
 * A process that is killed leaves, which resets its connections. A machine that loses power only
 * stops its clock, which is silence, and leaves before it joins again.
 */
export class InProcessNetwork {
  /** What becomes of messages between nodes that have no fate of their own. */
  fate: Fate;
  readonly #hosts = new Map<NodeId, Host>();
  readonly #fates = new Map<string, Fate>();
  readonly #cuts = new Set<string>();

  constructor({ fate = ARRIVES }: { fate?: Fate } = {}) {
    this.fate = fate;
  }

  join(node: NodeId, host: Host): void {
    assert(!this.#hosts.has(node), `${node} left before it joins again`);
    this.#hosts.set(node, host);
    for (const [peer, other] of this.#hosts) {
      if (peer === node) continue;
      host.dial(peer);
      other.dial(node);
    }
  }

  /** Without effect on a node that is not there. */
  leave(node: NodeId): void {
    if (!this.#hosts.delete(node)) return;
    for (const host of this.#hosts.values()) host.lose(node, "the connection was reset");
  }

  /** Resets the connection that `from` dialled; it does not come back before it heals. */
  cut(from: NodeId, to: NodeId): void {
    this.#cuts.add(pairOf(from, to));
    this.#hosts.get(from)?.lose(to, "the connection was reset");
  }

  heal(from: NodeId, to: NodeId): void {
    this.#cuts.delete(pairOf(from, to));
    this.#hosts.get(from)?.dial(to);
  }

  /** Decides over all that `from` says to `to`; undefined: as for everybody. */
  setFate(from: NodeId, to: NodeId, fate: Fate | undefined): void {
    if (fate === undefined) this.#fates.delete(pairOf(from, to));
    else this.#fates.set(pairOf(from, to), fate);
  }

  /** Whether a connection that `from` dials can come about, for all that is known. */
  isOpen(from: NodeId, to: NodeId): boolean {
    return this.#hosts.has(to) && !this.#cuts.has(pairOf(from, to));
  }

  /**
   * Carries a message on the connection that `dialler` dialled. It arrives at the run of the process
   * that was there when it left, unless the connection is cut at that moment. A request may arrive
   * when its sender has long given up or died.
   */
  carry(message: Message, dialler: NodeId, onArrival: (host: Host) => void): void {
    const { from, to } = message;
    const host = this.#hosts.get(to);
    if (host === undefined) return;
    const listener = dialler === from ? to : from;
    const fate = this.#fates.get(pairOf(from, to)) ?? this.fate;
    const arrive = (): void => {
      if (this.#hosts.get(to) === host && this.isOpen(dialler, listener)) onArrival(host);
    };
    for (const arrival of fate(message)) {
      if (typeof arrival === "number") host.clock.after(arrival, arrive);
      else void arrival.then(() => host.clock.soon(arrive));
    }
  }
}

function pairOf(from: NodeId, to: NodeId): string {
  return `${from} ${to}`;
}
