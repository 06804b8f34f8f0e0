import type { Answer } from "../core/answer.ts";
import type { NodeId } from "../core/ids.ts";
import type { Verdict } from "../core/quorum/tally.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { PeerHandler } from "../ports/peer-handler.ts";
import type { Replicas } from "../ports/replicas.ts";
import type { Telemetry } from "../ports/telemetry.ts";
import type { Deadline } from "./deadline.ts";

export type RoundName = "read" | "learn" | "write" | "write-back";
export type RoundEnd = "met" | "unreachable" | "deadline";

interface Quorum<T> {
  add(node: NodeId, answer: Answer<T>): void;
  verdict(): Verdict;
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
      if (first < replicas.length) {
        this.#spareTimer = this.#modules.clock.after(this.#spareDelayMs, () => this.#askSpares());
      }
      while (this.#finish !== undefined && this.#asked < first) this.#askNext();
    });
  }

  #askSpares(): void {
    while (this.#finish !== undefined && this.#asked < this.#plan.replicas.length) {
      this.#askSpare();
    }
  }

  #askSpare(): void {
    this.#modules.telemetry.metrics.spareRequests.with(this.#plan.name).add();
    this.#askNext();
  }

  #askNext(): void {
    const node = this.#plan.replicas[this.#asked];
    if (node === undefined) return;
    this.#asked += 1;
    this.#plan.ask(this.#modules.replicas.of(node), (answer) => this.#take(node, answer));
  }

  #take(node: NodeId, answer: Answer<T>): void {
    const { name, quorum } = this.#plan;
    const result = answer.kind === "ok" ? "ok" : answer.reason;
    this.#modules.telemetry.metrics.replicaAnswers.with(node, name, result).add();
    quorum.add(node, answer);
    if (this.#finish === undefined) return;
    const verdict = quorum.verdict();
    if (verdict !== "pending") this.#finish(verdict);
    else if (answer.kind !== "ok" && this.#asked >= this.#plan.first) this.#askSpareIfAny();
  }

  #askSpareIfAny(): void {
    if (this.#asked < this.#plan.replicas.length) this.#askSpare();
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
