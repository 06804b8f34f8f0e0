import { base64url, fromBase64, base64, utf8, utf8Text } from "../core/bytes.ts";
import type { Durability } from "../core/bucket.ts";
import type { KvError } from "../core/errors.ts";
import { parseBucketName, parseKey, parseWriteId } from "../core/ids.ts";
import { fieldsOf, jsonObject, refusalOf, refusalOfProblem } from "./answer.ts";
import type { QuorumFacts, Refusal } from "./answer.ts";
import type { QuorumChoice } from "./call-options.ts";
import type { HttpAnswer } from "./exchange.ts";
import { siblingsOf } from "./reading.ts";
import type { Reading } from "./reading.ts";
import type { Written } from "./results.ts";
import { keyBytes } from "./target.ts";

interface Keyed {
  readonly key: string | Uint8Array;
  /** Default `default`. */
  readonly bucket?: string | undefined;
}

interface Writing extends Keyed {
  readonly w?: QuorumChoice | undefined;
  readonly durability?: Durability | undefined;
  /** Repeats an earlier write instead of making a new one. */
  readonly writeId?: string | undefined;
  /** What an answer about this very key carried: the write supersedes what that answer told, no more. */
  readonly context?: string | undefined;
}

/** One of up to 256 operations of a batch. */
export type BatchOperation =
  | ({ readonly op: "get"; readonly r?: QuorumChoice | undefined } & Keyed)
  | ({ readonly op: "delete" } & Writing)
  | ({
      readonly op: "put";
      readonly value: string | Uint8Array;
      readonly contentType?: string | undefined;
      readonly contentEncoding?: string | undefined;
      readonly ttlSeconds?: number | undefined;
    } & Writing);

/** What became of one operation. One that failed says nothing of the others. */
export type BatchResult =
  | Reading
  | ({ readonly kind: "written" } & Omit<Written, "attempts">)
  /** Its `outcome` and `data.writeId` are what a retry needs. */
  | { readonly kind: "failed"; readonly error: KvError };

/**
 * The operations with a write id in each write, as bodies of their attempts.
 * @throws KvError for what no key, bucket or write id can be: nothing is sent
 */
export function batchBodies(
  operations: readonly BatchOperation[],
  mintWriteId: () => string,
): (attempt: number) => Uint8Array {
  const items = operations.map((operation) => itemOf(operation, mintWriteId));
  return (attempt) => {
    const sent = items.map((item) => ("writeId" in item ? { ...item, attempt } : item));
    return utf8(JSON.stringify({ operations: sent }));
  };
}

function itemOf(operation: BatchOperation, mintWriteId: () => string): object {
  const { op, bucket } = operation;
  const key = parseKey(keyBytes(operation.key));
  const text = utf8Text(key);
  const named = {
    op,
    bucket: bucket === undefined ? undefined : parseBucketName(bucket),
    ...(text === undefined ? { key64: base64url(key) } : { key: text }),
  };
  if (op === "get") return { ...named, r: operation.r };
  const { w, durability, context } = operation;
  const writeId = parseWriteId(operation.writeId ?? mintWriteId());
  if (op === "delete") return { ...named, w, durability, writeId, context };
  const { value, contentType, contentEncoding, ttlSeconds: ttl } = operation;
  const bytes = typeof value === "string" ? utf8(value) : value;
  const value64 = base64(bytes);
  const write = { w, durability, writeId, context, value64 };
  return { ...named, ...write, contentType, contentEncoding, ttl };
}

/** Of a batch of so many operations. */
export function interpretBatch(
  answer: HttpAnswer,
  count: number,
): { readonly value: readonly BatchResult[] } | Refusal {
  const found: unknown =
    answer.status === 207 ? jsonObject(answer.body)?.get("results") : undefined;
  if (!Array.isArray(found) || found.length !== count) return refusalOf(answer);
  const results = found.map(resultOf);
  const value = results.filter((result) => result !== undefined);
  return value.length === count ? { value } : refusalOf(answer);
}

/** @returns undefined: it is nothing that a node answers. */
function resultOf(item: unknown): BatchResult | undefined {
  const fields = fieldsOf(item);
  const status = fields?.get("status");
  if (fields === undefined || typeof status !== "number") return undefined;
  const text = (name: string): string | undefined => {
    const value = fields.get(name);
    return typeof value === "string" ? value : undefined;
  };
  const [context, etag, writeId] = [text("context"), text("etag"), text("writeId")];
  const quorum = quorumFacts(fields);
  if (status === 204 && writeId !== undefined && quorum !== undefined) {
    return { kind: "written", writeId, etag, context, quorum };
  }
  if (status === 200 && quorum !== undefined) {
    const [plain, encoded] = [text("value"), text("value64")];
    const value = plain === undefined ? fromBase64(encoded ?? "-") : utf8(plain);
    if (value === undefined) return undefined;
    const [contentType, contentEncoding] = [text("contentType"), text("contentEncoding")];
    const [lastModified, expiresAt] = [text("lastModified"), text("expiresAt")];
    const about = { contentType, contentEncoding, lastModified, expiresAt };
    return { kind: "value", value, ...about, etag, writeId, context, quorum };
  }
  if (status === 300 && quorum !== undefined) {
    const siblings = siblingsOf(fields.get("siblings"));
    return siblings && { kind: "siblings", siblings, context, quorum };
  }
  const problem = fieldsOf(fields.get("error"));
  if (problem === undefined) return undefined;
  const { error } = refusalOfProblem(problem, status);
  if (error.code !== "key-not-found") return { kind: "failed", error };
  return { kind: "absent", deleted: error.data.deleted === true, context };
}

function quorumFacts(fields: ReadonlyMap<string, unknown>): QuorumFacts | undefined {
  const quorum = fieldsOf(fields.get("quorum"));
  const [needed, acked, epoch] = ["needed", "acked", "epoch"].map((name) =>
    Number(quorum?.get(name)),
  ) as [number, number, number];
  return Number.isNaN(needed + acked + epoch) ? undefined : { needed, acked, epoch };
}
