import type { Answer } from "../answer.ts";
import type { Outcome } from "../errors.ts";
import type { NodeId } from "../ids.ts";
import { Tally } from "./tally.ts";
import type { QuorumSize, Verdict } from "./tally.ts";

/** Counts durable acknowledgements: of a client's write, or of a write-back. */
export class WriteQuorum {
  readonly #tally: Tally;
  #sent = 0;
  #lacksSpace = false;

  constructor(size: QuorumSize) {
    this.#tally = new Tally(size);
  }

  /** The write is on its way to one more replica. */
  send(): void {
    this.#sent += 1;
  }

  add(node: NodeId, answer: Answer<unknown>): void {
    this.#tally.add(node, answer.kind);
    if (answer.kind === "refused" && answer.reason === "no-space") this.#lacksSpace = true;
  }

  /** Some replica refused for lack of space. */
  get lacksSpace(): boolean {
    return this.#lacksSpace;
  }

  /** False once W is out of reach: to send the write to further replicas could only do harm. */
  wantsMore(): boolean {
    return this.#tally.verdict() !== "unreachable";
  }

  /**
   * Out of reach is final as soon as one replica applied the write or is in doubt; until then the
   * remaining answers may still prove that nothing was applied.
   */
  verdict(): Verdict {
    const verdict = this.#tally.verdict();
    const provable = this.#tally.refused === this.#tally.answered;
    const waiting = this.#tally.answered < this.#sent;
    return verdict === "unreachable" && provable && waiting ? "pending" : verdict;
  }

  get acked(): number {
    return this.#tally.yes;
  }

  /**
   * What is known of a write whose quorum was not met. Every replica that it was sent to must have
   * refused it to prove that it was not applied: silence and doubt are no proof.
   */
  failedOutcome(): Outcome {
    return this.#tally.refused >= this.#sent ? "not-applied" : "unknown";
  }
}
