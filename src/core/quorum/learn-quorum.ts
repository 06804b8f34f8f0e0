import type { Answer } from "../answer.ts";
import { assert } from "../assert.ts";
import { joinContexts, NOTHING_SEEN } from "../causal/causal-context.ts";
import type { CausalContext } from "../causal/causal-context.ts";
import { NO_STAMP } from "../hlc.ts";
import type { Stamp } from "../hlc.ts";
import type { NodeId } from "../ids.ts";
import type { LearnAnswer } from "../messages/answer.ts";
import type { KnownWrite } from "../version/recent.ts";
import { Tally } from "./tally.ts";
import type { QuorumSize, Verdict } from "./tally.ts";

/**
 * L = N + 1 − min(R, W): every learn round meets every write quorum, so a new stamp is above every
 * acknowledged one (I5), and every read quorum, so it is above every version that was ever read.
 */
export function learnQuorumSize({ n, r, w }: { n: number; r: number; w: number }): number {
  return n + 1 - Math.min(r, w);
}

/**
 * With how many answers a learn round may do when it cannot have L in time. A write that promises
 * to be read (R + W > N) needs all of L. One that asks for less, such as w=1 while nodes are down,
 * asks for availability: it is ordered after what W replicas know, beyond that by clocks alone.
 */
export function learnQuorumLeast({ n, r, w }: { n: number; r: number; w: number }): number {
  return r + w > n ? learnQuorumSize({ n, r, w }) : Math.min(w, learnQuorumSize({ n, r, w }));
}

/** A replica that has merged the write which is being attempted. */
export interface Witness {
  readonly node: NodeId;
  readonly write: KnownWrite;
}

/** The first round of a write: the newest stamp that the key has seen, and who knows the write itself. */
export class LearnQuorum {
  readonly #tally: Tally;
  readonly #least: number;
  readonly #witnesses: Witness[] = [];
  #newest: Stamp = NO_STAMP;
  #seen = NOTHING_SEEN;
  #hurried = false;

  constructor({ replicas, needed, least = needed }: QuorumSize & { readonly least?: number }) {
    assert(least >= 1 && least <= needed, `1 <= least <= L, got ${least} of L=${needed}`);
    this.#tally = new Tally({ replicas, needed });
    this.#least = least;
  }

  add(node: NodeId, answer: Answer<LearnAnswer>): void {
    this.#tally.add(node, answer.kind);
    if (answer.kind !== "ok") return;
    const { newest, known, seen } = answer.value;
    if (newest > this.#newest) this.#newest = newest;
    if (seen !== undefined) this.#seen = joinContexts(this.#seen, seen);
    if (known !== undefined) this.#witnesses.push({ node, write: known });
  }

  /** Replicas have been silent for long: from now on the least number will do. */
  hurry(): void {
    this.#hurried = true;
  }

  verdict(): Verdict {
    const verdict = this.#tally.verdict();
    if (verdict === "met" || (verdict === "pending" && !this.#hurried)) return verdict;
    if (this.#tally.yes >= this.#least) return "met";
    return this.#tally.yes + this.#tally.outstanding >= this.#least ? "pending" : "unreachable";
  }

  get acked(): number {
    return this.#tally.yes;
  }

  get newest(): Stamp {
    return this.#newest;
  }

  /** All that the answering replicas hold or have seen superseded, in a siblings bucket. */
  get seen(): CausalContext {
    return this.#seen;
  }

  get witnesses(): readonly Witness[] {
    return this.#witnesses;
  }
}
