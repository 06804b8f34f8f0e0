import { quorumOf, refusalOf } from "./answer.ts";
import type { QuorumFacts, Refusal } from "./answer.ts";
import type { HttpAnswer } from "./exchange.ts";

export interface Found {
  readonly value: Uint8Array;
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  /** ISO 8601; undefined: the value stays. */
  readonly expiresAt: string | undefined;
  readonly writeId: string | undefined;
  readonly quorum: QuorumFacts;
}

export interface Written {
  readonly writeId: string;
  readonly etag: string | undefined;
  readonly quorum: QuorumFacts;
  /** Attempts that it took, 1 in peace. */
  readonly attempts: number;
}

export interface Readiness {
  readonly ready: boolean;
  /** Why not. */
  readonly detail: string;
}

export function interpretGet(answer: HttpAnswer): { readonly value: Found | undefined } | Refusal {
  const { status, headers, body } = answer;
  const quorum = quorumOf(answer);
  if (status === 200 && quorum !== undefined) {
    const value = {
      value: body,
      contentType: headers.get("content-type"),
      contentEncoding: headers.get("content-encoding"),
      etag: headers.get("etag"),
      lastModified: headers.get("last-modified"),
      expiresAt: headers.get("kv-expires-at"),
      writeId: headers.get("kv-write-id"),
      quorum,
    };
    return { value };
  }
  const refusal = refusalOf(answer);
  return refusal.error.code === "key-not-found" ? { value: undefined } : refusal;
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
): { readonly value: Pick<Written, "etag" | "quorum"> } | Refusal {
  const quorum = quorumOf(answer);
  if (answer.status === 204 && quorum !== undefined) {
    return { value: { etag: answer.headers.get("etag"), quorum } };
  }
  return refusalOf(answer);
}

export function interpretReady(answer: HttpAnswer): Readiness {
  const ready = answer.status === 200;
  return { ready, detail: ready ? "" : refusalOf(answer).error.message };
}
