import { msOfStamp } from "../../core/hlc.ts";
import type { KvRecord } from "../../core/version/record.ts";
import type { Clock, Instant } from "../../ports/clock.ts";
import type { Telemetry } from "../../ports/telemetry.ts";

/** One line of the log in so long; the counter has them all. */
const LOG_EVERY_MS = 10_000;

interface FreshStampsModules {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

/**
 * Notes clients' writes whose stamp is far ahead of this node's clock: some node's clock is wrong, or
 * was when it last wrote the key. Nothing is refused: a replica that judged stamps would not converge.
 */
export class FreshStamps {
  readonly #limitMs: number;
  readonly #modules: FreshStampsModules;
  #loggedAt: Instant = Number.NEGATIVE_INFINITY;

  constructor({ clockOffsetMaxMs }: { clockOffsetMaxMs: number }, modules: FreshStampsModules) {
    this.#limitMs = clockOffsetMaxMs;
    this.#modules = modules;
  }

  note(record: KvRecord): void {
    const { stamp } = record;
    const { clock, telemetry } = this.#modules;
    const aheadMs = msOfStamp(stamp) - clock.wallMs();
    if (aheadMs <= this.#limitMs) return;
    telemetry.metrics.stampsAhead.with().add();
    if (clock.now() - this.#loggedAt < LOG_EVERY_MS) return;
    this.#loggedAt = clock.now();
    const actor = record.versions.find((version) => version.stamp === stamp)?.actor;
    telemetry.log.warn({ aheadMs, actor }, "a new write is stamped ahead of this node's clock");
  }
}
