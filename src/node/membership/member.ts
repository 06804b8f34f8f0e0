import { PeerClock } from "../../core/membership/peer-clock.ts";
import { Suspicion } from "../../core/membership/suspicion.ts";
import type { SuspicionOptions } from "../../core/membership/suspicion.ts";
import type { DirectoryState, HeartbeatAnswer } from "../../core/messages/heartbeat.ts";

/** The weight of the newest round trip in the smoothed one. */
const ROUND_TRIP_WEIGHT = 0.25;

/** One answered heartbeat, on this node's monotonic clock. */
export interface Heard {
  readonly answer: HeartbeatAnswer;
  readonly sentAt: number;
  readonly answeredAt: number;
}

/** What this node knows of one other member from its connection to it. */
export class Member {
  suspicion: Suspicion;
  /** The peer has answered a heartbeat on the present connection. */
  greeted = false;
  /** It has said, in this run of the own node, what it remembers of the own directory. */
  hasSpoken = false;
  /** What it said last, on whatever connection. */
  answer: HeartbeatAnswer | undefined;
  clock = new PeerClock();
  /** Of heartbeats on the present connection, smoothed. */
  roundTripMs: number | undefined;
  readonly #options: SuspicionOptions;

  constructor(options: SuspicionOptions) {
    this.#options = options;
    this.suspicion = new Suspicion(options);
  }

  /** A new connection: what the peer did on another one says nothing of this one. */
  connected(): void {
    this.greeted = false;
    this.roundTripMs = undefined;
    this.suspicion = new Suspicion(this.#options);
  }

  heard({ answer, sentAt, answeredAt }: Heard): void {
    if (this.answer !== undefined && !isSameRun(this.answer.directory, answer.directory)) {
      this.clock = new PeerClock();
    }
    this.greeted = true;
    this.answer = answer;
    this.clock.add({ sentAt, answeredAt, wallMs: answer.wallMs });
    const tookMs = answeredAt - sentAt;
    this.roundTripMs ??= tookMs;
    this.roundTripMs += ROUND_TRIP_WEIGHT * (tookMs - this.roundTripMs);
  }
}

/** A process that was started again is somebody new, and its machine may have a new clock. */
function isSameRun(before: DirectoryState, now: DirectoryState): boolean {
  return before.directoryId === now.directoryId && before.startEpoch === now.startEpoch;
}
