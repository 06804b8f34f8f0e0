import { KvError } from "../../core/errors.ts";
import type { Outcome } from "../../core/errors.ts";
import type { NodeId } from "../../core/ids.ts";
import { clocksAgainst } from "../../core/membership/clock-verdict.ts";
import type { ClockOffset } from "../../core/membership/peer-clock.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Telemetry } from "../../ports/telemetry.ts";
import type { Member } from "./member.ts";

/** A clock that has been set right is believed at once. */
const RETRY_AFTER_MS = 1_000;

interface ClockGuardModules {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** All members but this node. */
  readonly members: ReadonlyMap<NodeId, Member>;
}

/**
 * Keeps a node with a wrong wall clock from coordinating: its stamps and its idea of what has expired
 * would be wrong. It goes on as a replica, where no clock is ever judged, or replicas would not
 * converge. {@link clocksAgainst} says when a clock is wrong.
 */
export class ClockGuard {
  readonly #limitMs: number;
  readonly #modules: ClockGuardModules;
  #problem: string | undefined;

  constructor({ clockOffsetMaxMs }: { clockOffsetMaxMs: number }, modules: ClockGuardModules) {
    this.#limitMs = clockOffsetMaxMs;
    this.#modules = modules;
  }

  /** What is wrong with this node's clock, as a sentence for operators. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** @throws KvError `clock-unsafe` of the outcome given, before anything is sent. */
  check(outcome: Outcome): void {
    // Anew for each operation: a clock that jumped since the last heartbeat is wrong already.
    this.judge();
    if (this.#problem === undefined) return;
    throw new KvError("clock-unsafe", this.#problem, { outcome, retryAfterMs: RETRY_AFTER_MS });
  }

  judge(): void {
    const { members, telemetry } = this.#modules;
    const offsets = this.#offsets();
    const against = clocksAgainst(offsets, {
      members: members.size + 1,
      clockOffsetMaxMs: this.#limitMs,
    });
    const before = this.#problem;
    this.#problem = against.length === 0 ? undefined : this.#sentence(against, offsets);
    const isWrong = this.#problem !== undefined;
    if (isWrong === (before !== undefined)) return;
    telemetry.metrics.clockUnsafe.with().set(isWrong ? 1 : 0);
    if (isWrong) telemetry.log.error({ detail: this.#problem }, "this node's clock is wrong");
    else telemetry.log.info({}, "this node's clock is right again");
  }

  offset(peer: NodeId): ClockOffset | undefined {
    const { clock, members } = this.#modules;
    return members.get(peer)?.clock.offset({ wallMs: clock.wallMs(), now: clock.now() });
  }

  #offsets(): ReadonlyMap<NodeId, ClockOffset> {
    const offsets = new Map<NodeId, ClockOffset>();
    for (const peer of this.#modules.members.keys()) {
      const offset = this.offset(peer);
      if (offset !== undefined) offsets.set(peer, offset);
    }
    return offsets;
  }

  #sentence(against: readonly NodeId[], offsets: ReadonlyMap<NodeId, ClockOffset>): string {
    const each = against.map((peer) => {
      const ms = Math.round(offsets.get(peer)?.offsetMs ?? 0);
      return `${peer} is ${Math.abs(ms)} ms ${ms < 0 ? "behind" : "ahead"}`;
    });
    return `most members' clocks differ from this node's by more than ${this.#limitMs} ms: ${each.join(", ")}`;
  }
}
