import type { Answer } from "../answer.ts";
import { NO_STAMP } from "../hlc.ts";
import type { Stamp } from "../hlc.ts";
import type { NodeId } from "../ids.ts";
import { Tally } from "./tally.ts";
import type { QuorumSize, Verdict } from "./tally.ts";

/**
 * L = N + 1 − min(R, W): every learn round meets every write quorum, so a new stamp is above every
 * acknowledged one (I5), and every read quorum, so it is above every version that was ever read.
 */
export function learnQuorumSize({ n, r, w }: { n: number; r: number; w: number }): number {
  return n + 1 - Math.min(r, w);
}

/** The first round of a write: which stamp is the newest that the key has seen? */
export class LearnQuorum {
  readonly #tally: Tally;
  #newest: Stamp = NO_STAMP;

  constructor(size: QuorumSize) {
    this.#tally = new Tally(size);
  }

  add(node: NodeId, answer: Answer<Stamp>): void {
    this.#tally.add(node, answer.kind);
    if (answer.kind === "ok" && answer.value > this.#newest) this.#newest = answer.value;
  }

  verdict(): Verdict {
    return this.#tally.verdict();
  }

  get acked(): number {
    return this.#tally.yes;
  }

  get newest(): Stamp {
    return this.#newest;
  }
}
