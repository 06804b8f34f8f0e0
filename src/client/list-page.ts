import { fromBase64url } from "../core/bytes.ts";
import { jsonObject, quorumOf, refusalOf } from "./answer.ts";
import type { QuorumFacts, Refusal } from "./answer.ts";
import type { HttpAnswer } from "./exchange.ts";

/** A page of a bucket's keys, in byte order. */
export interface ListPage {
  /** Text where a key is UTF-8, else its bytes: either form names it in other calls. */
  readonly keys: readonly (string | Uint8Array)[];
  /** undefined: this was the last page. */
  readonly cursor: string | undefined;
  readonly quorum: QuorumFacts;
}

export function interpretList(answer: HttpAnswer): { readonly value: ListPage } | Refusal {
  const quorum = quorumOf(answer);
  const fields = answer.status === 200 ? jsonObject(answer.body) : undefined;
  const listed: unknown = fields?.get("keys");
  const cursor = fields?.get("cursor");
  const keys = Array.isArray(listed) ? listed.map(keyOf) : [undefined];
  const looksRight = keys.every((key) => key !== undefined);
  if (!looksRight || quorum === undefined || (cursor !== null && typeof cursor !== "string")) {
    return refusalOf(answer);
  }
  return { value: { keys, cursor: cursor ?? undefined, quorum } };
}

/** @returns undefined: it names no key as this client knows it. */
function keyOf(item: unknown): string | Uint8Array | undefined {
  if (typeof item !== "object" || item === null) return undefined;
  const { key, key64 } = item as { readonly key?: unknown; readonly key64?: unknown };
  if (typeof key === "string") return key;
  return typeof key64 === "string" ? fromBase64url(key64) : undefined;
}
