import type { Answer } from "../core/answer.ts";
import type { NodeId } from "../core/ids.ts";
import type { Verdict } from "../core/quorum/tally.ts";
import type { Buggify } from "../ports/buggify.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { PeerHandler } from "../ports/peer-handler.ts";
import type { Replicas } from "../ports/replicas.ts";
import type { Telemetry } from "../ports/telemetry.ts";
import type { Deadline } from "./deadline.ts";

type RoundName = "read" | "learn" | "write" | "write-back";
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
  readonly replicas: Replicas;
  readonly telemetry: Telemetry;
}

/**
 * Asks replicas until their quorum has a verdict or the deadline passes. A replica that fails is
 * replaced by a spare at once, silent ones after `spareDelayMs` by all spares, so one dead or slow
 * replica costs a pause and never the operation.
 */
export class Round<T> {
  readonly #plan: RoundPlan<T>;
  readonly #modules: RoundModules;
  readonly #spareDelayMs: number;
  #asked = 0;
  #failed = 0;
  #spareTimer: Timer | undefined;
  #finish: ((end: RoundEnd) => void) | undefined;

  constructor(plan: RoundPlan<T>, spareDelayMs: number, modules: RoundModules) {
    this.#plan = plan;
    this.#spareDelayMs = spareDelayMs;
    this.#modules = modules;
  }

  run(): Promise<RoundEnd> {
    const { deadline, first, replicas } = this.#plan;
    if (deadline.passed) return Promise.resolve("deadline");
    return new Promise((resolve) => {
      this.#finish = (end) => {
        this.#finish = undefined;
        this.#spareTimer?.cancel();
        deadline.onPass(undefined);
        resolve(end);
      };
      deadline.onPass(() => this.#finish?.("deadline"));
      if (first < replicas.length || this.#plan.quorum.hurry !== undefined) {
        this.#spareTimer = this.#modules.clock.after(this.#spareDelayMs, () => this.#hurry());
      }
      this.#askEnough();
      this.#decide();
    });
  }

  #hurry(): void {
    this.#plan.quorum.hurry?.();
    this.#decide();
    while (this.#finish !== undefined && this.#asked < this.#plan.replicas.length) this.#askNext();
  }

  /** Keeps `first` replicas asked that have not failed, as long as there are spares. */
  #askEnough(): void {
    const { first, quorum, replicas } = this.#plan;
    while (
      this.#finish !== undefined &&
      this.#asked - this.#failed < first &&
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
    quorum.send?.();
    this.#plan.ask(this.#modules.replicas.of(node), (answer) => this.#take(node, answer));
  }

  #take(node: NodeId, answer: Answer<T>): void {
    const { name, quorum } = this.#plan;
    const result = answer.kind === "ok" ? "ok" : answer.reason;
    this.#modules.telemetry.metrics.replicaAnswers.with(node, name, result).add();
    if (answer.kind !== "ok") this.#failed += 1;
    quorum.add(node, answer);
    this.#decide();
    this.#askEnough();
  }

  #decide(): void {
    const verdict = this.#plan.quorum.verdict();
    if (verdict !== "pending") this.#finish?.(verdict);
  }
}

/** Self first, because it is free; then who seems reachable; the preference list decides ties. */
export function askingOrder(replicas: Replicas, list: readonly NodeId[]): readonly NodeId[] {
  const cost = (node: NodeId): number => {
    if (node === replicas.self) return 0;
    return replicas.isReachable(node) ? 1 : 2;
  };
  return list.toSorted((a, b) => cost(a) - cost(b));
}
