import type { Answer } from "../answer.ts";
import { assert } from "../assert.ts";
import type { NodeId } from "../ids.ts";

/** `unreachable`: even if all outstanding replicas say yes, the quorum is not met. */
export type Verdict = "pending" | "met" | "unreachable";

export interface QuorumSize {
  readonly replicas: readonly NodeId[];
  readonly needed: number;
}

/**
 * Counts the answers of one round. Pure: the caller owns time and I/O, so the simulator and
 * production run this same code. Only replicas of the preference list count, each once (strict
 * quorum); an answer after the verdict is still counted.
 */
export class Tally {
  readonly #replicas: readonly NodeId[];
  readonly #needed: number;
  readonly #answered = new Set<NodeId>();
  #yes = 0;
  #refused = 0;

  constructor({ replicas, needed }: QuorumSize) {
    assert(
      needed >= 1 && needed <= replicas.length,
      `1 <= needed <= N, got ${needed} of N=${replicas.length}`,
    );
    this.#replicas = replicas;
    this.#needed = needed;
  }

  get needed(): number {
    return this.#needed;
  }

  /** Replicas that did what was asked. */
  get yes(): number {
    return this.#yes;
  }

  /** Replicas that have not answered, asked or not. */
  get outstanding(): number {
    return this.#replicas.length - this.#answered.size;
  }

  add(node: NodeId, kind: Answer<unknown>["kind"]): void {
    assert(this.#replicas.includes(node), `${node} is not in the preference list`);
    assert(!this.#answered.has(node), `second answer of ${node}`);
    this.#answered.add(node);
    if (kind === "ok") this.#yes += 1;
    if (kind === "refused") this.#refused += 1;
  }

  get refused(): number {
    return this.#refused;
  }

  /** All answers so far, of whatever kind. */
  get answered(): number {
    return this.#answered.size;
  }

  verdict(): Verdict {
    if (this.#yes >= this.#needed) return "met";
    return this.#yes + this.outstanding >= this.#needed ? "pending" : "unreachable";
  }
}
