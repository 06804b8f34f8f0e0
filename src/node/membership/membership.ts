import { assert } from "../../core/assert.ts";
import type { NodeId } from "../../core/ids.ts";
import type { ClusterDocument } from "../../core/layout/cluster-document.ts";
import type { SuspicionOptions } from "../../core/membership/suspicion.ts";
import type { DirectoryState, Heartbeat, HeartbeatAnswer } from "../../core/messages/heartbeat.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { MemberState, MemberView } from "../../ports/node-view.ts";
import type { Purpose } from "../../ports/replicas.ts";
import type { Rng } from "../../ports/rng.ts";
import type { Telemetry } from "../../ports/telemetry.ts";
import type { Transport } from "../../ports/transport.ts";
import { ClockGuard } from "./clock-guard.ts";
import { Heartbeats } from "./heartbeats.ts";
import { Member } from "./member.ts";
import type { Heard } from "./member.ts";
import { WatchedTransport } from "./watched-transport.ts";

export interface MembershipOptions extends SuspicionOptions {
  readonly id: NodeId;
  readonly heartbeatEveryMs: number;
  readonly peerSuspectInFlightMax: number;
  readonly clockOffsetMaxMs: number;
}

export interface MembershipModules {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly telemetry: Telemetry;
  readonly document: () => ClusterDocument;
  /** This node's own directory. */
  readonly directory: () => DirectoryState;
  /** The greatest state that the peer ever announced to this node. */
  readonly remembered: (peer: NodeId) => DirectoryState | undefined;
  /** As this node announces it. */
  readonly documentVersion: () => number;
  readonly isResynchronising: () => boolean;
  readonly isReadOnly: () => boolean;
  /** Before the peer's answer makes it count as reachable. */
  readonly onHeard: (peer: NodeId, answer: HeartbeatAnswer) => void;
  /** Before this node answers. */
  readonly onAsked: (heartbeat: Heartbeat) => void;
}

/** Suspicions are looked for this often within `heartbeatEveryMs`. */
const JUDGEMENTS_PER_HEARTBEAT = 4;
/** A peer is distant when its heartbeats take so many times as long as the quickest peer's, */
const DISTANT_FACTOR = 4;
/** and so much longer: differences that no client notices send nobody elsewhere. */
const DISTANT_LEAST_MS = 20;

/**
 * Who is up, as far as this node can tell from its own requests. It decides in which order replicas
 * are asked and nothing else: no rule of it changes who is a member, what counts toward a quorum, or
 * what a healthy node is told by one that returns.
 */
export class Membership {
  readonly clockGuard: ClockGuard;
  readonly #options: MembershipOptions;
  readonly #modules: MembershipModules;
  readonly #members: ReadonlyMap<NodeId, Member>;
  #parts: { readonly transport: WatchedTransport; readonly heartbeats: Heartbeats } | undefined;
  #judgeTimer: Timer | undefined;

  constructor(options: MembershipOptions, modules: MembershipModules) {
    this.#options = options;
    this.#modules = modules;
    const peers = modules.document().layout.others(options.id);
    this.#members = new Map(peers.map((peer) => [peer, new Member(options)]));
    this.clockGuard = new ClockGuard(options, { ...modules, members: this.#members });
  }

  /** Begins to ask. @returns the transport through which all requests to peers are to go. */
  start(transport: Transport): Transport {
    const members = this.#members;
    const watched = new WatchedTransport(this.#options, { ...this.#modules, transport, members });
    const heartbeats = new Heartbeats(this.#options, {
      ...this.#modules,
      transport: watched,
      heartbeatTo: (peer) => this.#heartbeatTo(peer),
      onHeard: (peer, heard) => this.#heard(peer, heard),
    });
    this.#parts = { transport: watched, heartbeats };
    for (const peer of members.keys()) heartbeats.beat(peer);
    this.#judgeLater();
    return watched;
  }

  close(): void {
    this.#judgeTimer?.cancel();
    this.#parts?.heartbeats.close();
  }

  /** A new connection to the peer stands. */
  connected(peer: NodeId): void {
    this.#members.get(peer)?.connected();
    this.#parts?.heartbeats.beat(peer);
  }

  answer(heartbeat: Heartbeat): HeartbeatAnswer {
    const { clock, directory, documentVersion, isReadOnly, isResynchronising, onAsked } =
      this.#modules;
    onAsked(heartbeat);
    const member = this.#members.get(heartbeat.from);
    if (member !== undefined) member.hasSpoken = true;
    return {
      directory: directory(),
      documentVersion: documentVersion(),
      wallMs: clock.wallMs(),
      resynchronising: isResynchronising(),
      readOnly: isReadOnly(),
    };
  }

  /**
   * The peer has said who it is on the present connection, so its answers can be relied on; and what
   * it remembers of this node, so the own replica's can be, beside them.
   */
  isGreeted(peer: NodeId): boolean {
    const member = this.#members.get(peer);
    return member?.greeted === true && member.hasSpoken && this.#isConnected(peer);
  }

  isReachable(peer: NodeId): boolean {
    return this.isGreeted(peer) && this.#standing(peer) === "trusted";
  }

  /** It is reachable and, as far as it says, has everything that it acknowledged. */
  isWhole(peer: NodeId): boolean {
    return this.isReachable(peer) && this.#members.get(peer)?.answer?.resynchronising === false;
  }

  /** What a request to the peer may cost beyond its answer: who costs least is asked first. */
  cost(peer: NodeId, purpose: Purpose): number {
    if (!this.isGreeted(peer)) return 5;
    const answer = this.#members.get(peer)?.answer;
    if (purpose === "write" ? answer?.readOnly : answer?.resynchronising) return 4;
    const standing = this.#standing(peer);
    if (standing !== "trusted") return standing === "late" ? 2 : 3;
    return this.#isDistant(peer) ? 1 : 0;
  }

  view(node: NodeId): MemberView {
    return { state: this.#state(node), clockOffset: this.clockGuard.offset(node) };
  }

  #state(node: NodeId): MemberState {
    if (node === this.#options.id) return { kind: "self" };
    const state = this.#parts?.transport.peerState(node);
    if (state?.kind !== "connected") return state ?? { kind: "unreachable", reason: "starting" };
    if (!this.isGreeted(node)) {
      const lacks = this.#members.get(node)?.greeted === true ? "sent" : "answered";
      return { kind: "unreachable", reason: `connected, but it has ${lacks} no heartbeat yet` };
    }
    switch (this.#standing(node)) {
      case "trusted":
        return { kind: "connected" };
      case "late":
        return { kind: "suspect", reason: "it answers too late, or not everything" };
      case "silent":
        return { kind: "suspect", reason: "it leaves requests unanswered" };
    }
  }

  #heartbeatTo(peer: NodeId): Heartbeat {
    const { directory, remembered } = this.#modules;
    return { from: this.#options.id, directory: directory(), remembered: remembered(peer) };
  }

  #heard(peer: NodeId, heard: Heard): void {
    this.#modules.onHeard(peer, heard.answer);
    this.#members.get(peer)?.heard(heard);
  }

  #judgeLater(): void {
    const { clock } = this.#modules;
    const everyMs = this.#options.heartbeatEveryMs / JUDGEMENTS_PER_HEARTBEAT;
    const dueAt = clock.now() + everyMs;
    this.#judgeTimer = clock.after(everyMs, () => {
      const lateMs = clock.now() - dueAt;
      this.#judge(lateMs > everyMs ? lateMs : 0);
      this.#judgeLater();
    });
  }

  /** After a pause of this node's own, answers may lie unread: it suspects nobody for them. */
  #judge(heldUpMs: number): void {
    const { clock, telemetry } = this.#modules;
    const now = clock.now();
    for (const [peer, { roundTripMs, suspicion }] of this.#members) {
      if (heldUpMs > 0) suspicion.excuse(heldUpMs, now);
      const before = suspicion.standing(now);
      suspicion.judge(now);
      const standing = suspicion.standing(now);
      if (standing === "silent" && before !== standing) {
        telemetry.metrics.suspicions.with(peer).add();
        telemetry.log.info({ peer, patienceMs: suspicion.patienceMs() }, "peer is suspect");
      }
      telemetry.metrics.peerSuspect.with(peer).set(standing === "trusted" ? 0 : 1);
      if (roundTripMs !== undefined) {
        telemetry.metrics.peerRoundTrip.with(peer).set(roundTripMs / 1_000);
      }
      const offsetMs = this.clockGuard.offset(peer)?.offsetMs;
      if (offsetMs !== undefined) telemetry.metrics.clockOffset.with(peer).set(offsetMs / 1_000);
    }
    this.clockGuard.judge();
  }

  #standing(peer: NodeId) {
    const member = this.#members.get(peer);
    assert(member !== undefined, `${peer} is another member`);
    return member.suspicion.standing(this.#modules.clock.now());
  }

  #isConnected(peer: NodeId): boolean {
    return this.#parts?.transport.peerState(peer).kind === "connected";
  }

  #isDistant(peer: NodeId): boolean {
    const own = this.#members.get(peer)?.roundTripMs;
    if (own === undefined) return false;
    let quickest = own;
    for (const { roundTripMs } of this.#members.values()) {
      if (roundTripMs !== undefined && roundTripMs < quickest) quickest = roundTripMs;
    }
    return own > DISTANT_FACTOR * quickest && own > quickest + DISTANT_LEAST_MS;
  }
}
