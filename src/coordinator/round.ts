import type { Answer } from "../core/answer.ts";
import { assert } from "../core/assert.ts";
import type { NodeId } from "../core/ids.ts";
import type { Verdict } from "../core/quorum/tally.ts";
import type { Buggify } from "../ports/buggify.ts";
import type { Clock, Instant, Timer } from "../ports/clock.ts";
import type { PeerHandler } from "../ports/peer-handler.ts";
import type { Purpose, Replicas } from "../ports/replicas.ts";
import type { Telemetry } from "../ports/telemetry.ts";
import type { Deadline, Phase } from "./deadline.ts";
import type { Hedging } from "./hedging.ts";

type RoundName = "read" | "learn" | "mint" | "write" | "write-back" | "explain" | "list";
export type RoundEnd = "met" | "unreachable" | "deadline";

interface Quorum<T> {
  add(node: NodeId, answer: Answer<T>): void;
  verdict(): Verdict;
  /** Told of each replica just before it is asked. */
  send?(): void;
  /** False: no further replica is to be asked. */
  wantsMore?(): boolean;
  /** Told after `spareDelayMs`; the verdict may change by it. */
  hurry?(): void;
}

export interface RoundPlan<T> {
  readonly name: RoundName;
  /** In the order in which they are asked. */
  readonly replicas: readonly NodeId[];
  /** How many are asked at once; the others are spares. */
  readonly first: number;
  readonly quorum: Quorum<T>;
  readonly deadline: Deadline;
  ask(replica: PeerHandler, onAnswer: (answer: Answer<T>) => void): void;
}

export interface RoundModules {
  readonly buggify: Buggify;
  readonly clock: Clock;
  readonly hedging: Hedging;
  readonly replicas: Replicas;
  readonly telemetry: Telemetry;
}

interface Ask {
  readonly askedAt: Instant;
  /** Until its answer, if that was ok. */
  tookMs: number | undefined;
}

/** Timers are no finer than this. */
const TIMER_GRAIN_MS = 1;

/**
 * Asks replicas until their quorum has a verdict or the deadline passes. A replica that fails is
 * replaced by a spare at once. A silent one is joined by a spare after the delay of {@link Hedging},
 * within its budget; a suspect one without counting, for that is no guess. So one dead or slow replica
 * costs a pause and never the operation.
 */
export class Round<T> {
  readonly #plan: RoundPlan<T>;
  readonly #modules: RoundModules;
  readonly #spareDelayMs: number;
  readonly #asks = new Map<NodeId, Ask>();
  /** Asked in their turn and silent so far. */
  readonly #waiting = new Set<NodeId>();
  /** Asked beside silent ones. */
  readonly #hedges = new Map<NodeId, "asked" | "answered" | "failed">();
  #begunAt: Instant = 0;
  #asked = 0;
  readonly #failures = new Map<NodeId, string>();
  #overBudget = false;
  #spareTimer: Timer | undefined;
  #finish: ((end: RoundEnd) => void) | undefined;

  constructor(plan: RoundPlan<T>, spareDelayMs: number, modules: RoundModules) {
    this.#plan = plan;
    this.#spareDelayMs = spareDelayMs;
    this.#modules = modules;
  }

  run(): Promise<RoundEnd> {
    const { deadline, first, quorum, replicas } = this.#plan;
    if (deadline.passed) return Promise.resolve("deadline");
    const { clock, hedging } = this.#modules;
    this.#begunAt = clock.now();
    return new Promise((resolve) => {
      this.#finish = (end) => {
        this.#finish = undefined;
        this.#spareTimer?.cancel();
        deadline.onPass(undefined);
        this.#count(end);
        resolve(end);
      };
      deadline.onPass(() => this.#finish?.("deadline"));
      if (first < replicas.length || quorum.hurry !== undefined) {
        hedging.begun();
        this.#lookAfter(Math.min(hedging.delayMs, this.#spareDelayMs));
      }
      this.#askEnough();
      this.#decide();
    });
  }

  /** Why replicas did not do what they were asked, for the error of a round that failed. */
  get failures(): string {
    const each = [...this.#failures].map(([node, reason]) => `${node}: ${reason}`);
    return each.length === 0 ? "" : ` (${each.join(", ")})`;
  }

  #lookAfter(delayMs: number): void {
    this.#spareTimer = this.#modules.clock.after(delayMs, () => this.#look());
  }

  /** Replicas are silent. What the budget or a suspicion does not allow yet it may allow later. */
  #look(): void {
    const { quorum, replicas } = this.#plan;
    const leftMs = this.#begunAt + this.#spareDelayMs - this.#modules.clock.now();
    const isLong = leftMs < TIMER_GRAIN_MS;
    if (isLong) {
      quorum.hurry?.();
      this.#decide();
    }
    this.#hedge();
    if (this.#finish === undefined) return;
    if (!isLong) this.#lookAfter(leftMs);
    else if (this.#asked < replicas.length) this.#lookAfter(this.#spareDelayMs);
  }

  /** One spare for each silent replica, those for suspects first: they are free. */
  #hedge(): void {
    const suspects = [...this.#waiting].filter((node) => !this.#isTrusted(node)).length;
    let covered = [...this.#hedges.values()].filter((state) => state !== "failed").length;
    for (; this.#finish !== undefined && covered < this.#waiting.size; covered++) {
      const node = this.#plan.replicas[this.#asked];
      if (node === undefined) return;
      if (covered >= suspects && !this.#modules.hedging.take()) {
        this.#overBudget = true;
        return;
      }
      this.#hedges.set(node, "asked");
      this.#askNext();
    }
  }

  #isTrusted(node: NodeId): boolean {
    const { replicas } = this.#modules;
    return node === replicas.self || replicas.isReachable(node);
  }

  /** Keeps `first` replicas asked that have not failed, as long as there are spares. */
  #askEnough(): void {
    const { first, quorum, replicas } = this.#plan;
    while (
      this.#finish !== undefined &&
      this.#asked - this.#failures.size < first &&
      this.#asked < replicas.length &&
      quorum.wantsMore?.() !== false
    ) {
      this.#askNext();
    }
  }

  #askNext(): void {
    const { first, name, quorum, replicas } = this.#plan;
    const node = replicas[this.#asked];
    if (node === undefined) return;
    if (this.#asked >= first) this.#modules.telemetry.metrics.spareRequests.with(name).add();
    this.#asked += 1;
    this.#asks.set(node, { askedAt: this.#modules.clock.now(), tookMs: undefined });
    if (!this.#hedges.has(node)) this.#waiting.add(node);
    quorum.send?.();
    this.#plan.ask(this.#modules.replicas.of(node), (answer) => this.#take(node, answer));
  }

  #take(node: NodeId, answer: Answer<T>): void {
    const { name, quorum } = this.#plan;
    const result = answer.kind === "ok" ? "ok" : answer.reason;
    this.#modules.telemetry.metrics.replicaAnswers.with(node, name, result).add();
    if (answer.kind !== "ok") this.#failures.set(node, answer.reason);
    else this.#time(node);
    if (this.#hedges.has(node)) {
      this.#hedges.set(node, answer.kind === "ok" ? "answered" : "failed");
    }
    this.#waiting.delete(node);
    quorum.add(node, answer);
    this.#decide();
    this.#askEnough();
  }

  /**
   * Hedging learns from reads, which learning is as well, and from mints and lists, which have a delay of their
   * own; writes wait for disks. The own replica says nothing of the others, and a hedge little.
   */
  #time(node: NodeId): void {
    const { name } = this.#plan;
    const { clock, hedging, replicas, telemetry } = this.#modules;
    const ask = this.#asks.get(node);
    assert(ask !== undefined, "only who was asked answers");
    const tookMs = clock.now() - ask.askedAt;
    ask.tookMs = tookMs;
    telemetry.metrics.replicaDuration.with(node, name).observe(tookMs / 1_000);
    if (node === replicas.self || this.#hedges.has(node)) return;
    if (name === "read" || name === "learn" || name === "mint" || name === "list") {
      hedging.answered(tookMs);
    }
  }

  #count(end: RoundEnd): void {
    const { clock, telemetry } = this.#modules;
    const { hedges, roundDuration } = telemetry.metrics;
    const tookMs = clock.now() - this.#begunAt;
    roundDuration.with(this.#plan.name, end).observe(tookMs / 1_000);
    this.#plan.deadline.spent(() => this.#phase(end, tookMs));
    for (const state of this.#hedges.values()) {
      hedges.with(state === "answered" ? "won" : "wasted").add();
    }
    if (this.#overBudget) hedges.with("over-budget").add();
  }

  #phase(end: RoundEnd, tookMs: number): Phase {
    const replicas = [...this.#asks].map(([node, { tookMs: ms }]) => {
      const answer = ms === undefined ? this.#failures.get(node) : Math.round(ms);
      return [node, answer ?? "silent"] as const;
    });
    return {
      phase: this.#plan.name,
      ms: Math.round(tookMs),
      end,
      replicas: Object.fromEntries(replicas),
    };
  }

  /**
   * What comes after the deadline counts no more, even where the timer is late, after a pause of this
   * process, say: replicas rely on it when they repair what they have lost.
   */
  #decide(): void {
    const { deadline, quorum } = this.#plan;
    const verdict = quorum.verdict();
    if (verdict === "pending") return;
    const isLate = this.#modules.clock.now() > deadline.at;
    this.#finish?.(isLate ? "deadline" : verdict);
  }
}

/** Self first, because it is free; then by cost; the preference list decides ties. */
export function askingOrder(
  replicas: Replicas,
  list: readonly NodeId[],
  purpose: Purpose = "read",
): readonly NodeId[] {
  const costs = new Map(
    list.map((node) => [node, node === replicas.self ? -1 : replicas.cost(node, purpose)]),
  );
  return list.toSorted((a, b) => (costs.get(a) ?? 0) - (costs.get(b) ?? 0));
}
