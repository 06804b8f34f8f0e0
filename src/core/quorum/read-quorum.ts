import type { Answer } from "../answer.ts";
import { assert } from "../assert.ts";
import { NO_STAMP } from "../hlc.ts";
import type { Stamp } from "../hlc.ts";
import type { NodeId } from "../ids.ts";
import type { DigestAnswer, ReadAnswer } from "../messages/answer.ts";
import type { RecordKey } from "../record-key.ts";
import type { MergeModel } from "../version/merge-model.ts";
import { digestOf } from "../version/record.ts";
import type { Digest, KvRecord } from "../version/record.ts";
import { Tally } from "./tally.ts";
import type { QuorumSize, Verdict } from "./tally.ts";

/** What is to be done with the R answers of a read; the caller does it. */
export type ReadAction =
  | { readonly kind: "answer"; readonly record: KvRecord | undefined }
  /** Replicas disagree, and of `from` only digests are known. */
  | { readonly kind: "fetch"; readonly from: readonly NodeId[] }
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

/** Collects the records of one read, or digests where another replica's record may do. */
export class ReadQuorum {
  readonly #key: RecordKey;
  readonly #tally: Tally;
  readonly #model: MergeModel;
  readonly #digests = new Map<NodeId, Digest>();
  /** What the digests stand for, as far as somebody sent the record itself. */
  readonly #records = new Map<Digest, KvRecord | undefined>();
  #clock: Stamp = NO_STAMP;

  constructor(key: RecordKey, size: QuorumSize, model: MergeModel) {
    this.#key = key;
    this.#tally = new Tally(size);
    this.#model = model;
  }

  add(node: NodeId, answer: Answer<ReadAnswer | DigestAnswer>): void {
    this.#tally.add(node, answer.kind);
    if (answer.kind !== "ok") return;
    const { value } = answer;
    if (value.clock > this.#clock) this.#clock = value.clock;
    if ("digest" in value) {
      this.#digests.set(node, value.digest);
    } else {
      this.#hold(node, digestOf(value.record), value.record);
    }
  }

  /**
   * Takes over from an earlier round of the same read which replicas hold which records.
   * @returns those replicas.
   */
  adopt(earlier: ReadQuorum): ReadonlySet<NodeId> {
    const known = new Set<NodeId>();
    for (const [node, digest] of earlier.#digests) {
      if (!earlier.#records.has(digest)) continue;
      known.add(node);
      this.#tally.add(node, "ok");
      this.#hold(node, digest, earlier.#records.get(digest));
    }
    if (earlier.#clock > this.#clock) this.#clock = earlier.#clock;
    return known;
  }

  #hold(node: NodeId, digest: Digest, record: KvRecord | undefined): void {
    this.#digests.set(node, digest);
    this.#records.set(digest, record);
  }

  verdict(): Verdict {
    return this.#tally.verdict();
  }

  get acked(): number {
    return this.#tally.yes;
  }

  /** The greatest reading of any answering replica's clock: expiry is judged by it. */
  get clock(): Stamp {
    return this.#clock;
  }

  /** Absence needs the quorum as much as a value does. */
  finalAction(): ReadAction {
    assert(this.verdict() === "met", "an action needs the quorum");
    const from = [...this.#digests.keys()].filter((node) => !this.#isKnown(node));
    if (from.length > 0) return { kind: "fetch", from };
    let merged: KvRecord | undefined;
    for (const record of this.#records.values()) {
      if (record !== undefined) merged = this.#model.merge(this.#key, merged, record);
    }
    if (merged === undefined) return { kind: "answer", record: undefined };
    const digest = digestOf(merged);
    const holders = [...this.#digests].filter(([, held]) => held === digest);
    if (holders.length === this.#digests.size) return { kind: "answer", record: merged };
    return {
      kind: "write-back",
      record: merged,
      holders: new Set(holders.map(([node]) => node)),
    };
  }

  #isKnown(node: NodeId): boolean {
    const digest = this.#digests.get(node);
    return digest !== undefined && this.#records.has(digest);
  }
}
