import type { Answer } from "../answer.ts";
import { assert } from "../assert.ts";
import type { NodeId } from "../ids.ts";
import type { Verdict } from "../quorum/tally.ts";

/** Waits for every replica, whatever it says: an explanation tells of those that fail, too. */
export class AllAnswers<T> {
  readonly #replicas: readonly NodeId[];
  readonly #answers = new Map<NodeId, Answer<T>>();

  constructor(replicas: readonly NodeId[]) {
    this.#replicas = replicas;
  }

  add(node: NodeId, answer: Answer<T>): void {
    assert(this.#replicas.includes(node), `${node} is not in the preference list`);
    assert(!this.#answers.has(node), `second answer of ${node}`);
    this.#answers.set(node, answer);
  }

  verdict(): Verdict {
    return this.#answers.size === this.#replicas.length ? "met" : "pending";
  }

  /** In the order of the preference list; who is silent when it is asked for missed the deadline. */
  all(): ReadonlyMap<NodeId, Answer<T>> {
    return new Map(this.#replicas.map((node) => [node, this.#answers.get(node) ?? SILENT]));
  }
}

const SILENT = { kind: "unknown", reason: "deadline" } as const;
