import { quorumOf, refusalOf } from "./answer.ts";
import type { QuorumFacts, Refusal } from "./answer.ts";
import type { HttpAnswer } from "./exchange.ts";

export interface Written {
  readonly writeId: string;
  readonly etag: string | undefined;
  /**
   * Of buckets of mode `siblings`: what the writer has seen by now, for its next write. This write is
   * among it if the writer had seen every earlier one that the node knew.
   */
  readonly context: string | undefined;
  readonly quorum: QuorumFacts;
  /** Attempts that it took, 1 in peace. */
  readonly attempts: number;
}

export interface Readiness {
  readonly ready: boolean;
  /** Why not. */
  readonly detail: string;
}

/** Of a read for the sake of its repair: whatever it found, siblings included, it is done. */
export function interpretRepair(answer: HttpAnswer): { readonly value: undefined } | Refusal {
  const isRead = answer.status === 200 || answer.status === 300;
  if (isRead && quorumOf(answer) !== undefined) return { value: undefined };
  const refusal = refusalOf(answer);
  return refusal.error.code === "key-not-found" ? { value: undefined } : refusal;
}

export function interpretWrite(
  answer: HttpAnswer,
): { readonly value: Pick<Written, "etag" | "context" | "quorum"> } | Refusal {
  const { status, headers } = answer;
  const quorum = quorumOf(answer);
  if (status === 204 && quorum !== undefined) {
    return { value: { etag: headers.get("etag"), context: headers.get("kv-context"), quorum } };
  }
  return refusalOf(answer);
}

export function interpretReady(answer: HttpAnswer): Readiness {
  const ready = answer.status === 200;
  return { ready, detail: ready ? "" : refusalOf(answer).error.message };
}
