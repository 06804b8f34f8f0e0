import { base64, utf8Text } from "../../../core/bytes.ts";
import { KvError } from "../../../core/errors.ts";
import { msOfStamp } from "../../../core/hlc.ts";
import type { Content } from "../../../core/version/version.ts";
import { BATCH_ITEMS_MAX } from "../../../ports/operations.ts";
import type {
  BatchItem,
  BatchResult,
  Operations,
  ReadResult,
  WriteResult,
} from "../../../ports/operations.ts";
import { parseBatchItem } from "./batch-items.ts";
import { readBody } from "./body.ts";
import { etagOf } from "./etag.ts";
import type { Exchange } from "./exchange.ts";
import { checkConditionals, checkKvHeaders, parseQuery } from "./parameters.ts";
import { problemJson } from "./problem.ts";
import { isConflict, siblingsEtag, siblingsJson } from "./sibling-answers.ts";
import { splitTarget } from "./target.ts";

const BODY_BYTES_MAX = 4 * 1024 * 1024;

interface BatchRouteModules {
  readonly operations: Pick<Operations, "batch">;
}

/** `POST /v1/batch`: independent reads and writes, no transaction; 207 with one result an item, in order. */
export async function handleBatch(
  exchange: Exchange,
  { operations }: BatchRouteModules,
): Promise<void> {
  const { request, requestId } = exchange;
  checkKvHeaders(request, "read");
  checkConditionals(request, "write");
  const { query } = splitTarget(request.url ?? "");
  const { timeoutMs } = parseQuery(query, "batch");
  const body = await readBody(exchange, BODY_BYTES_MAX, () => tooLarge(`${BODY_BYTES_MAX} bytes`));
  const parsed = operationsOf(body).map(itemOf);
  const items = parsed.filter((item): item is BatchItem => !(item instanceof KvError));
  const results = (await operations.batch({ items, timeoutMs })).values();
  const answers = parsed.map((item) => {
    const result =
      item instanceof KvError ? ({ kind: "failed", error: item } as const) : results.next().value;
    if (result === undefined) throw new KvError("internal", "an item of the batch has no result");
    return resultJson(result, requestId);
  });
  exchange.answer(
    207,
    ["Content-Type", "application/json", "Cache-Control", "no-store"],
    JSON.stringify({ results: answers }),
  );
}

/** @throws KvError `request-invalid`, `batch-too-large`: nothing was begun. */
function operationsOf(body: Uint8Array): readonly unknown[] {
  let json: unknown;
  try {
    json = JSON.parse(utf8Text(body) ?? "");
  } catch {
    throw new KvError("request-invalid", "the body is not JSON");
  }
  const { operations, ...others } = (json ?? {}) as { readonly operations?: unknown };
  if (!Array.isArray(operations) || Object.keys(others).length > 0) {
    throw new KvError("request-invalid", 'the body is {"operations": [...]}');
  }
  if (operations.length > BATCH_ITEMS_MAX) throw tooLarge(`${BATCH_ITEMS_MAX} operations`);
  return operations;
}

function tooLarge(bound: string): KvError {
  return new KvError("batch-too-large", `the batch exceeds ${bound}`);
}

/** What is wrong with one item is the result of that item alone. */
function itemOf(operation: unknown): BatchItem | KvError {
  try {
    return parseBatchItem(operation);
  } catch (error) {
    if (error instanceof KvError) return error;
    throw error;
  }
}

function resultJson(result: BatchResult, requestId: string): object {
  switch (result.kind) {
    case "read":
      return readJson(result.result, requestId);
    case "write":
      return writtenJson(result.result);
    case "failed":
      return failedJson(result.error, requestId);
  }
}

function writtenJson({ version, context, quorum }: WriteResult): object {
  return { status: 204, writeId: version.writeId, etag: etagOf(version), context, quorum };
}

function readJson(result: ReadResult, requestId: string): object {
  const { version, expired, context, quorum } = result;
  if (isConflict(result)) {
    const siblings = siblingsJson(result);
    return { status: 300, siblings, etag: siblingsEtag(result), context, quorum };
  }
  if (version?.content === undefined || expired) {
    const deleted = version !== undefined && version.content === undefined;
    const { needed, acked } = quorum;
    const error = new KvError("key-not-found", deleted ? "the key was deleted" : "no value", {
      deleted,
      needed,
      acked,
    });
    return { ...failedJson(error, requestId), context };
  }
  const { content, stamp, expiresAt, writeId } = version;
  return {
    status: 200,
    ...valueJson(content),
    etag: etagOf(version),
    writeId,
    lastModified: new Date(msOfStamp(stamp)).toISOString(),
    expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt).toISOString(),
    context,
    quorum,
  };
}

function valueJson({ value, contentType, contentEncoding }: Content): object {
  const text = utf8Text(value);
  const fields = text === undefined ? { value64: base64(value) } : { value: text };
  return { ...fields, contentType, contentEncoding };
}

function failedJson(error: KvError, requestId: string): object {
  return { status: error.status, error: problemJson(error, requestId) };
}
