import type { Answer } from "../answer.ts";
import type { KvError, Outcome } from "../errors.ts";
import type { NodeId } from "../ids.ts";
import type { MintAnswer } from "../messages/mint.ts";
import type { Verdict } from "./tally.ts";

/** The replicas that were asked to mint one write, each at most once: one of them has to do it. */
export class MintQuorum {
  readonly #replicas: number;
  #sent = 0;
  #answered = 0;
  #refused = 0;
  #end: MintAnswer | undefined;
  #refusal: KvError | undefined;

  constructor({ replicas }: { readonly replicas: number }) {
    this.#replicas = replicas;
  }

  send(): void {
    this.#sent += 1;
  }

  /** A failure that another replica may not meet, and that applied nothing, counts as a refusal. */
  judge(answer: Answer<MintAnswer>): Answer<MintAnswer> {
    if (answer.kind !== "ok" || answer.value.kind === "written") return answer;
    const { error } = answer.value;
    if (error.retry !== "after" || error.outcome !== "not-applied") return answer;
    this.#refusal ??= error;
    return { kind: "refused", reason: "not-minted" };
  }

  add(_node: NodeId, answer: Answer<MintAnswer>): void {
    this.#answered += 1;
    if (answer.kind === "refused") this.#refused += 1;
    if (answer.kind !== "ok") return;
    if (this.#end === undefined || answer.value.kind === "written") this.#end = answer.value;
  }

  verdict(): Verdict {
    if (this.#end !== undefined) return "met";
    return this.#answered < this.#replicas ? "pending" : "unreachable";
  }

  get end(): MintAnswer | undefined {
    return this.#end;
  }

  /** What the first of the replicas that refused said of it. */
  get refusal(): KvError | undefined {
    return this.#refusal;
  }

  /** What is known of a write that nobody reports as done: whoever is silent may do it yet. */
  failedOutcome(): Outcome {
    const { outcome } = this.#failure ?? { outcome: "not-applied" };
    const silent = this.#sent - this.#refused - (this.#failure === undefined ? 0 : 1);
    return outcome === "not-applied" && silent <= 0 ? "not-applied" : "unknown";
  }

  get #failure(): KvError | undefined {
    return this.#end?.kind === "failed" ? this.#end.error : undefined;
  }
}
