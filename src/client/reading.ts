import { fromBase64 } from "../core/bytes.ts";
import { fieldsOf, jsonOf, quorumOf, refusalOf } from "./answer.ts";
import type { QuorumFacts, Refusal } from "./answer.ts";
import type { HttpAnswer } from "./exchange.ts";

/** What a read found. Only buckets of mode `siblings` can answer `siblings`, and only they send a context. */
export type Reading = Found | Conflict | Absent;

interface Read {
  /**
   * What this answer told of the key, opaque: a write that sends it back supersedes exactly that.
   * undefined in buckets that keep a single version.
   */
  readonly context: string | undefined;
}

/** One value. */
export interface Found extends Read {
  readonly kind: "value";
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

/** Concurrent writes that none of the others had seen: for the caller to merge. */
export interface Conflict extends Read {
  readonly kind: "siblings";
  /** Two or more, the newest first; at least one of them has a value. */
  readonly siblings: readonly Sibling[];
  readonly quorum: QuorumFacts;
}

/** R replicas answered and none holds a value. */
export interface Absent extends Read {
  readonly kind: "absent";
  /** The key had a value that was deleted, as far as is remembered. */
  readonly deleted: boolean;
}

/** What one write left of a key, for a merge. */
export interface SiblingContent {
  /** null: it is a delete, or a value whose time is over. */
  readonly value: Uint8Array | null;
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
}

export interface Sibling extends SiblingContent {
  /** Names it among the others. */
  readonly version: string;
  readonly lastModified: string;
  readonly expiresAt: string | undefined;
  readonly writeId: string;
}

export function interpretReading(answer: HttpAnswer): { readonly value: Reading } | Refusal {
  const { status, headers, body } = answer;
  const quorum = quorumOf(answer);
  const context = headers.get("kv-context");
  if (status === 200 && quorum !== undefined) {
    const value: Found = {
      kind: "value",
      value: body,
      contentType: headers.get("content-type"),
      contentEncoding: headers.get("content-encoding"),
      etag: headers.get("etag"),
      lastModified: headers.get("last-modified"),
      expiresAt: headers.get("kv-expires-at"),
      writeId: headers.get("kv-write-id"),
      context,
      quorum,
    };
    return { value };
  }
  if (status === 300 && quorum !== undefined) {
    const siblings = siblingsOf(jsonOf(body));
    if (siblings !== undefined) return { value: { kind: "siblings", siblings, context, quorum } };
  }
  const refusal = refusalOf(answer);
  if (refusal.error.code !== "key-not-found") return refusal;
  return { value: { kind: "absent", deleted: refusal.error.data.deleted === true, context } };
}

/** All that is there, nothing to one. */
export function contentsOf(reading: Reading): readonly SiblingContent[] {
  switch (reading.kind) {
    case "siblings":
      return reading.siblings;
    case "value":
      return [reading];
    case "absent":
      return [];
  }
}

/** @returns undefined for anything that a Quorate node would not say. */
export function siblingsOf(items: unknown): readonly Sibling[] | undefined {
  if (!Array.isArray(items) || items.length < 2) return undefined;
  const siblings = items.map(siblingOf);
  return siblings.every((sibling) => sibling !== undefined) ? siblings : undefined;
}

function siblingOf(item: unknown): Sibling | undefined {
  const fields = fieldsOf(item);
  if (fields === undefined) return undefined;
  const text = (name: string): string | undefined => {
    const value = fields.get(name);
    return typeof value === "string" ? value : undefined;
  };
  const [version, lastModified, writeId] = [text("version"), text("lastModified"), text("writeId")];
  const encoded = fields.get("value");
  const value = typeof encoded === "string" ? fromBase64(encoded) : encoded;
  if (version === undefined || lastModified === undefined || writeId === undefined)
    return undefined;
  if (value !== null && !(value instanceof Uint8Array)) return undefined;
  return {
    version,
    value,
    contentType: text("contentType"),
    contentEncoding: text("contentEncoding"),
    lastModified,
    expiresAt: text("expiresAt"),
    writeId,
  };
}
