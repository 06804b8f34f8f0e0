import type { Answer } from "../answer.ts";
import type { KvError, Outcome } from "../errors.ts";
import type { NodeId } from "../ids.ts";
import type { MintAnswer } from "../messages/mint.ts";
import type { Verdict } from "./tally.ts";

/** The one replica that was asked to mint a write. */
export class MintQuorum {
  #isSent = false;
  #answer: Answer<MintAnswer> | undefined;
  #refusal: KvError | undefined;

  send(): void {
    this.#isSent = true;
  }

  /** A failure that another replica may not meet, and that applied nothing, counts as a refusal. */
  judge(answer: Answer<MintAnswer>): Answer<MintAnswer> {
    if (answer.kind !== "ok" || answer.value.kind === "written") return answer;
    const { error } = answer.value;
    if (error.retry !== "after" || error.outcome !== "not-applied") return answer;
    this.#refusal = error;
    return { kind: "refused", reason: "not-minted" };
  }

  add(_node: NodeId, answer: Answer<MintAnswer>): void {
    this.#answer = answer;
  }

  verdict(): Verdict {
    if (this.#answer === undefined) return "pending";
    return this.#answer.kind === "ok" ? "met" : "unreachable";
  }

  get end(): MintAnswer | undefined {
    return this.#answer?.kind === "ok" ? this.#answer.value : undefined;
  }

  /** Why the replica refused, when it said more than a reason. */
  get refusal(): KvError | undefined {
    return this.#refusal;
  }

  /** What is known of the write without an {@link end}: who is silent may do it yet. */
  failedOutcome(): Outcome {
    return this.#isSent && this.#answer?.kind !== "refused" ? "unknown" : "not-applied";
  }
}
