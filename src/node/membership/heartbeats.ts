import { DecodeError } from "../../core/codec.ts";
import type { NodeId } from "../../core/ids.ts";
import type { ClusterDocument } from "../../core/layout/cluster-document.ts";
import { decodeHeartbeatAnswer } from "../../core/messages/heartbeat.ts";
import type { Heartbeat, HeartbeatAnswer } from "../../core/messages/heartbeat.ts";
import { encodeRequest, envelopeOf } from "../../core/messages/request.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { Rng } from "../../ports/rng.ts";
import type { Reply } from "../../ports/transport.ts";
import type { Heard } from "./member.ts";
import type { WatchedTransport } from "./watched-transport.ts";

/** Nobody waits longer for the answer to a heartbeat; a slow one is still a sign of life. */
const ANSWER_MS_MAX = 2_000;
/** Nodes that started together are not to beat together. */
const JITTER = 0.25;

interface HeartbeatsModules {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly transport: WatchedTransport;
  readonly document: () => ClusterDocument;
  readonly heartbeatTo: (peer: NodeId) => Heartbeat;
  readonly onHeard: (peer: NodeId, heard: Heard) => void;
}

/** Asks every peer how it is: on a new connection at once, then every `heartbeatEveryMs`. */
export class Heartbeats {
  readonly #everyMs: number;
  readonly #modules: HeartbeatsModules;
  readonly #timers = new Map<NodeId, Timer>();
  #closed = false;

  constructor({ heartbeatEveryMs }: { heartbeatEveryMs: number }, modules: HeartbeatsModules) {
    this.#everyMs = heartbeatEveryMs;
    this.#modules = modules;
  }

  /** Asks the peer now and from now on. Without a connection nothing is sent. */
  beat(peer: NodeId): void {
    if (this.#closed) return;
    const { clock, rng } = this.#modules;
    this.#ask(peer);
    const delayMs = Math.round(this.#everyMs * (1 - JITTER + 2 * JITTER * rng.fraction()));
    this.#timers.get(peer)?.cancel();
    this.#timers.set(
      peer,
      clock.after(delayMs, () => this.beat(peer)),
    );
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) timer.cancel();
  }

  #ask(peer: NodeId): void {
    const { clock, document, heartbeatTo, transport, onHeard } = this.#modules;
    const sentAt = clock.now();
    transport.probe(peer, {
      deadline: sentAt + ANSWER_MS_MAX,
      encode: (writer) => {
        const envelope = envelopeOf(document(), ANSWER_MS_MAX);
        const heartbeat = heartbeatTo(peer);
        encodeRequest(writer, envelope, { kind: "heartbeat", heartbeat });
      },
      onReply: (reply) => {
        const answer = answerOf(reply);
        if (answer !== undefined) onHeard(peer, { answer, sentAt, answeredAt: clock.now() });
      },
    });
  }
}

/** A refusal, for another epoch say, is no greeting: it counts as no answer at all. */
function answerOf(reply: Reply): HeartbeatAnswer | undefined {
  if (reply.kind !== "payload") return undefined;
  try {
    return decodeHeartbeatAnswer(reply.payload);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
