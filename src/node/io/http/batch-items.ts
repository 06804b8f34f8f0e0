import { DEFAULT_BUCKET } from "../../../core/bucket.ts";
import { fromBase64, fromBase64url, utf8 } from "../../../core/bytes.ts";
import { KvError } from "../../../core/errors.ts";
import { parseBucketName, parseKey, parseWriteId } from "../../../core/ids.ts";
import type { Content } from "../../../core/version/version.ts";
import type { BatchItem } from "../../../ports/operations.ts";
import { checkContentHeader, parseAttempt, parseQuery } from "./parameters.ts";

const PUT_FIELDS = ["value", "value64", "contentType", "contentEncoding"];
const WRITE_FIELDS = ["writeId", "attempt", "context"];
/** Beside those that a query has too. */
const FIELDS: Readonly<Record<Op, readonly string[]>> = {
  get: ["op", "bucket", "key", "key64"],
  put: ["op", "bucket", "key", "key64", ...WRITE_FIELDS, ...PUT_FIELDS],
  delete: ["op", "bucket", "key", "key64", ...WRITE_FIELDS],
};
const QUERY_FIELDS: Readonly<Record<Op, readonly string[]>> = {
  get: ["r"],
  put: ["w", "durability", "ttl"],
  delete: ["w", "durability"],
};
type Op = "get" | "put" | "delete";
type Fields = ReadonlyMap<string, unknown>;

/**
 * One operation of a batch as JSON has it: what a request has in its path, query, headers and body.
 * @throws KvError as the same request alone would be refused
 */
export function parseBatchItem(item: unknown): BatchItem {
  if (typeof item !== "object" || item === null || Array.isArray(item)) {
    throw new KvError("request-invalid", "an operation is a JSON object");
  }
  const fields = new Map<string, unknown>(Object.entries(item));
  const op = fields.get("op");
  if (op !== "get" && op !== "put" && op !== "delete") {
    throw new KvError("request-invalid", "op is get, put or delete");
  }
  const { r, w, durability, ttlSeconds } = parseQuery(queryOf(fields, op), QUERY_KINDS[op]);
  const bucket = parseBucketName(textOf(fields, "bucket") ?? DEFAULT_BUCKET);
  const key = parseKey(bytesOf(fields, "key", "key64", fromBase64url));
  if (op === "get") return { kind: "read", bucket, key, r };
  const writeId = textOf(fields, "writeId");
  const attempt = fields.get("attempt");
  return {
    kind: "write",
    bucket,
    key,
    content: op === "put" ? contentOf(fields) : undefined,
    w,
    durability,
    ttlSeconds,
    writeId: writeId === undefined ? undefined : parseWriteId(writeId),
    attempt: attempt === undefined ? 1 : parseAttempt("attempt", JSON.stringify(attempt)),
    context: textOf(fields, "context"),
  };
}

const QUERY_KINDS = { get: "read", put: "put", delete: "delete" } as const;

/** The query that would say the same, after a look at all fields: none is ignored. */
function queryOf(fields: Fields, op: Op): string {
  const parameters: string[] = [];
  for (const [name, value] of fields) {
    if (QUERY_FIELDS[op].includes(name)) {
      const text = typeof value === "number" ? String(value) : value;
      if (typeof text !== "string" || !/^[a-z0-9.-]{1,20}$/.test(text)) {
        throw new KvError("parameter-invalid", `'${name}' has no valid value`);
      }
      parameters.push(`${name}=${text}`);
    } else if (!FIELDS[op].includes(name)) {
      throw new KvError(
        "parameter-invalid",
        `'${name.slice(0, 80)}': a ${op} takes ${[...FIELDS[op], ...QUERY_FIELDS[op]].join(", ")}`,
      );
    }
  }
  return parameters.join("&");
}

function contentOf(fields: Fields): Content {
  const contentType = textOf(fields, "contentType");
  const contentEncoding = textOf(fields, "contentEncoding");
  if (contentType !== undefined) checkContentHeader("contentType", contentType);
  if (contentEncoding !== undefined) checkContentHeader("contentEncoding", contentEncoding);
  const value = bytesOf(fields, "value", "value64", fromBase64);
  return { value, contentType, contentEncoding };
}

/** Text as UTF-8, or any bytes encoded. */
function bytesOf(
  fields: Fields,
  plain: string,
  encoded: string,
  decode: (text: string) => Uint8Array | undefined,
): Uint8Array {
  const [text, code] = [textOf(fields, plain), textOf(fields, encoded)];
  if ((text === undefined) === (code === undefined)) {
    throw new KvError("request-invalid", `one of '${plain}' and '${encoded}' is given`);
  }
  if (text !== undefined) {
    // UTF-8 has no half surrogates: each would become U+FFFD.
    if (!/\p{Surrogate}/u.test(text)) return utf8(text);
    throw new KvError("request-invalid", `'${plain}' is not valid Unicode`);
  }
  const bytes = decode(code ?? "");
  if (bytes === undefined) throw new KvError("request-invalid", `'${encoded}' is not well-formed`);
  return bytes;
}

function textOf(fields: Fields, name: string): string | undefined {
  const value = fields.get(name);
  if (value === undefined || typeof value === "string") return value;
  throw new KvError("request-invalid", `'${name}' is not text`);
}
