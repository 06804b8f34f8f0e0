import type { Answer } from "../answer.ts";
import { NO_STAMP } from "../hlc.ts";
import type { Stamp } from "../hlc.ts";
import type { NodeId } from "../ids.ts";
import type { ListAnswer } from "../messages/list.ts";
import { Tally } from "./tally.ts";
import type { QuorumSize, Verdict } from "./tally.ts";

/** Collects the pages that R replicas of the same partitions hold. */
export class ListQuorum {
  readonly #tally: Tally;
  readonly #pages: ListAnswer[] = [];

  constructor(size: QuorumSize) {
    this.#tally = new Tally(size);
  }

  add(node: NodeId, answer: Answer<ListAnswer>): void {
    this.#tally.add(node, answer.kind);
    if (answer.kind === "ok") this.#pages.push(answer.value);
  }

  verdict(): Verdict {
    return this.#tally.verdict();
  }

  get acked(): number {
    return this.#tally.yes;
  }

  get pages(): readonly ListAnswer[] {
    return this.#pages;
  }

  /** The greatest reading of the answering replicas' clocks. */
  get clock(): Stamp {
    return this.#pages.reduce<Stamp>((max, { clock }) => (clock > max ? clock : max), NO_STAMP);
  }
}
