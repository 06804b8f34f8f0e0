import { KvError } from "../../../core/errors.ts";
import { msOfStamp } from "../../../core/hlc.ts";
import type { NodeView } from "../../../ports/node-view.ts";
import type {
  Operations,
  ReadResult,
  WriteRequest,
  WriteResult,
} from "../../../ports/operations.ts";
import { readBody } from "./body.ts";
import { etagOf } from "./etag.ts";
import type { Exchange } from "./exchange.ts";
import { asksToExplain, explainKey } from "./explain-route.ts";
import {
  attemptOf,
  checkConditionals,
  checkKvHeaders,
  contentHeaderOf,
  contextOf,
  parseQuery,
  writeIdOf,
} from "./parameters.ts";
import { quorumText } from "./quorum-text.ts";
import {
  isConflict,
  siblingOf,
  siblingsBody,
  siblingsEtag,
  siblingsType,
} from "./sibling-answers.ts";
import { parseKeyTarget } from "./target.ts";
import type { KeyTarget } from "./target.ts";

const DEFAULT_CONTENT_TYPE = "application/octet-stream";

export interface KeyRouteModules {
  readonly operations: Operations;
  readonly view: NodeView;
}

/** `/v1/kv/{bucket}/{key}` and `/v1/kv64/{bucket}/{base64url}`. */
export async function handleKey(exchange: Exchange, modules: KeyRouteModules): Promise<void> {
  const { method, url = "" } = exchange.request;
  const target = parseKeyTarget(url);
  if (method === "PUT") return putKey(exchange, target, modules);
  if (method === "DELETE") return deleteKey(exchange, target, modules);
  return getKey(exchange, target, modules);
}

async function getKey(
  exchange: Exchange,
  target: KeyTarget,
  modules: KeyRouteModules,
): Promise<void> {
  if (asksToExplain(target)) return explainKey(exchange, target, modules);
  const { request } = exchange;
  const { bucket, key, query } = target;
  const { operations, view } = modules;
  checkKvHeaders(request, "read");
  checkConditionals(request, "read");
  const { r, timeoutMs, version: dot } = parseQuery(query, "read");
  if (dot !== undefined && view.bucket(bucket)?.mode === "lww") {
    throw new KvError("bucket-mode-unfit", `bucket '${bucket}' keeps a single version of a key`);
  }
  const { requestId } = exchange;
  const asked = operations.read({ requestId, bucket, key, r, timeoutMs });
  const result = await exchange.timing.of("quorum", asked);
  if (dot !== undefined) {
    // Who was shown one sibling has not seen the others: no context.
    return answerVersion(exchange, {
      ...siblingOf(result, dot),
      context: undefined,
      quorum: result.quorum,
    });
  }
  if (isConflict(result)) return answerSiblings(exchange, result);
  answerVersion(exchange, result);
}

/** Every version beside the others: for the client to merge, and to write with their context. */
function answerSiblings(exchange: Exchange, result: ReadResult): void {
  const { headers: given } = exchange.request;
  const etag = siblingsEtag(result);
  const headers = ["ETag", etag, ...contextHeader(result), "KV-Quorum", quorumText(result.quorum)];
  headers.push("Vary", "Accept");
  if (matches(given["if-none-match"], etag)) return exchange.answer(304, headers);
  const { status, type } = siblingsType(given.accept);
  headers.push("Content-Type", type);
  exchange.answer(status, headers, siblingsBody(result));
}

function answerVersion(
  exchange: Exchange,
  result: Pick<ReadResult, "version" | "expired" | "context" | "quorum">,
): void {
  const { request } = exchange;
  const { version, expired, context, quorum } = result;
  if (version?.content === undefined || expired) {
    const { needed, acked } = quorum;
    const deleted = version !== undefined && version.content === undefined;
    const why = deleted
      ? "the key was deleted"
      : expired
        ? "the value expired"
        : "no value is known";
    throw new KvError("key-not-found", why, {
      deleted,
      needed,
      acked,
      ...(context !== undefined && { context }),
    });
  }
  const etag = etagOf(version);
  const headers = ["ETag", etag, "KV-Write-Id", version.writeId, "KV-Quorum", quorumText(quorum)];
  headers.push(...contextHeader(result));
  if (matches(request.headers["if-none-match"], etag)) return exchange.answer(304, headers);
  const { content, stamp, expiresAt } = version;
  if (expiresAt !== undefined) headers.push("KV-Expires-At", new Date(expiresAt).toISOString());
  headers.push("Last-Modified", new Date(msOfStamp(stamp)).toUTCString());
  headers.push("Content-Type", content.contentType ?? DEFAULT_CONTENT_TYPE);
  if (content.contentEncoding !== undefined) {
    headers.push("Content-Encoding", content.contentEncoding);
  }
  exchange.answer(200, headers, content.value);
}

async function putKey(
  exchange: Exchange,
  target: KeyTarget,
  modules: KeyRouteModules,
): Promise<void> {
  const { request } = exchange;
  const asked = askedOf(exchange, target, "put");
  await modules.operations.caughtUp(asked.attempt === 1 ? "not-applied" : "unknown");
  const properties = modules.view.bucket(target.bucket);
  if (properties === undefined) {
    throw new KvError("bucket-not-found", `there is no bucket '${target.bucket}'`);
  }
  const contentType = contentHeaderOf(request, "content-type");
  const contentEncoding = contentHeaderOf(request, "content-encoding");
  // Last of all that a request can be refused for: who waits for 100 sends no value in vain.
  const value = await exchange.timing.of("body", readBody(exchange, properties.valueBytesMax));
  const content = { value, contentType, contentEncoding };
  const written = modules.operations.write({ ...asked, content });
  answerWritten(exchange, await exchange.timing.of("quorum", written));
}

async function deleteKey(
  exchange: Exchange,
  target: KeyTarget,
  { operations }: KeyRouteModules,
): Promise<void> {
  const asked = askedOf(exchange, target, "delete");
  const written = operations.write({ ...asked, content: undefined });
  answerWritten(exchange, await exchange.timing.of("quorum", written));
}

/** All that a write asks for, but its content. */
function askedOf(
  { request, requestId }: Exchange,
  { bucket, key, query }: KeyTarget,
  kind: "put" | "delete",
): Omit<WriteRequest, "content"> {
  checkKvHeaders(request, "write");
  checkConditionals(request, "write");
  const { w, timeoutMs, durability, ttlSeconds } = parseQuery(query, kind);
  return {
    requestId,
    bucket,
    key,
    w,
    timeoutMs,
    durability,
    ttlSeconds,
    writeId: writeIdOf(request),
    attempt: attemptOf(request),
    context: contextOf(request),
  };
}

function answerWritten(exchange: Exchange, result: WriteResult): void {
  const { version, quorum } = result;
  exchange.answer(204, [
    "ETag",
    etagOf(version),
    "KV-Write-Id",
    version.writeId,
    "KV-Quorum",
    quorumText(quorum),
    ...contextHeader(result),
  ]);
}

function contextHeader({ context }: Pick<ReadResult, "context">): readonly string[] {
  return context === undefined ? [] : ["KV-Context", context];
}

function matches(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch.split(",").some((candidate) => {
    const tag = candidate.trim();
    return tag === "*" || tag === etag || tag === `W/${etag}`;
  });
}
