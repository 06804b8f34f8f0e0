import type { Answer } from "../answer.ts";
import type { Outcome } from "../errors.ts";
import type { NodeId } from "../ids.ts";
import { Tally } from "./tally.ts";
import type { QuorumSize, Verdict } from "./tally.ts";

/** Counts durable acknowledgements: of a client's write, or of a write-back. */
export class WriteQuorum {
  readonly #tally: Tally;

  constructor(size: QuorumSize) {
    this.#tally = new Tally(size);
  }

  add(node: NodeId, answer: Answer<unknown>): void {
    this.#tally.add(node, answer.kind);
  }

  verdict(): Verdict {
    return this.#tally.verdict();
  }

  get acked(): number {
    return this.#tally.yes;
  }

  /** What is known of a write whose quorum was not met: a replica in doubt may have applied it. */
  failedOutcome(): Outcome {
    return this.#tally.allRefused() ? "not-applied" : "unknown";
  }
}
