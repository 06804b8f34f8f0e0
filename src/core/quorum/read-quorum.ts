import type { Answer } from "../answer.ts";
import { assert } from "../assert.ts";
import type { NodeId } from "../ids.ts";
import type { MergeModel } from "../version/merge-model.ts";
import type { KvRecord } from "../version/record.ts";
import { Tally } from "./tally.ts";
import type { QuorumSize, Verdict } from "./tally.ts";

/** What is to be done with the R answers of a read; the caller does it. */
export type ReadAction =
  | { readonly kind: "answer"; readonly record: KvRecord | undefined }
  /** Replicas disagree: `record`, the merge of all answers, is held by `holders` only. */
  | {
      readonly kind: "write-back";
      readonly record: KvRecord;
      readonly holders: ReadonlySet<NodeId>;
    };

/**
 * Replicas that must hold a version before a read may return it: W, so that it survives what an
 * acknowledged write survives; N − R + 1, to meet every later read of the same R; and R itself, as
 * many as hold it when all answers agree, to meet every later read with R' > N − R (I4). This is the
 * write-back of Attiya, Bar-Noy and Dolev (JACM 1995), skipped when all R answers agree.
 */
export function writeBackQuorumSize({ n, r, w }: { n: number; r: number; w: number }): number {
  return Math.max(w, n - r + 1, r);
}

/** Collects the full records of one read. */
export class ReadQuorum {
  readonly #tally: Tally;
  readonly #model: MergeModel;
  readonly #records = new Map<NodeId, KvRecord | undefined>();

  constructor(size: QuorumSize, model: MergeModel) {
    this.#tally = new Tally(size);
    this.#model = model;
  }

  add(node: NodeId, answer: Answer<KvRecord | undefined>): void {
    this.#tally.add(node, answer.kind);
    if (answer.kind === "ok") this.#records.set(node, answer.value);
  }

  verdict(): Verdict {
    return this.#tally.verdict();
  }

  get acked(): number {
    return this.#tally.yes;
  }

  /** Absence needs the quorum as much as a value does. */
  finalAction(): ReadAction {
    assert(this.verdict() === "met", "an action needs the quorum");
    let merged: KvRecord | undefined;
    for (const record of this.#records.values()) {
      if (record !== undefined) merged = this.#model.merge(merged, record);
    }
    const holders = new Set<NodeId>();
    for (const [node, record] of this.#records) {
      if (this.#model.equal(record, merged)) holders.add(node);
    }
    if (merged === undefined || holders.size === this.#records.size) {
      return { kind: "answer", record: merged };
    }
    return { kind: "write-back", record: merged, holders };
  }
}
