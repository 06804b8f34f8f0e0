import type { IncomingMessage } from "node:http";
import type { Durability } from "../../../core/bucket.ts";
import { KvError } from "../../../core/errors.ts";
import { KEY_BYTES_MAX, parseWriteId } from "../../../core/ids.ts";
import type { WriteId } from "../../../core/ids.ts";
import { CONTENT_HEADER_LENGTH_MAX, TTL_SECONDS_MAX } from "../../../core/version/version.ts";
import { LIST_LIMIT_MAX } from "../../../ports/operations.ts";
import type { QuorumChoice } from "../../../ports/operations.ts";
import { percentBytes } from "./percent.ts";

export interface Parameters {
  readonly r: QuorumChoice | undefined;
  readonly w: QuorumChoice | undefined;
  readonly timeoutMs: number | undefined;
  readonly durability: Durability | undefined;
  readonly ttlSeconds: number | undefined;
  /** The dot of one sibling. */
  readonly version: string | undefined;
  readonly explain: ExplainChoice | undefined;
  /** Of a list; as bytes, like keys. */
  readonly prefix: Uint8Array | undefined;
  readonly limit: number | undefined;
  readonly cursor: string | undefined;
}

/** `all`: what each replica holds; `placement`: where the key lives, and nobody is asked. */
type ExplainChoice = "all" | "placement";

const NONE: Parameters = {
  r: undefined,
  w: undefined,
  timeoutMs: undefined,
  durability: undefined,
  ttlSeconds: undefined,
  version: undefined,
  explain: undefined,
  prefix: undefined,
  limit: undefined,
  cursor: undefined,
};
/** What a request asks for; a put can do more than a delete. */
type RequestKind = "read" | "put" | "delete" | "explain" | "bucket" | "list" | "batch" | "operator";
const ALLOWED: Readonly<Record<RequestKind, readonly string[]>> = {
  read: ["r", "timeout", "version"],
  put: ["w", "timeout", "durability", "ttl"],
  delete: ["w", "timeout", "durability"],
  explain: ["explain", "timeout"],
  bucket: ["timeout"],
  batch: ["timeout"],
  list: ["prefix", "limit", "cursor", "r", "timeout"],
  operator: [],
};
/** KV headers that this version knows in requests; any other is refused, never ignored. */
const KV_HEADERS_ON_READ: ReadonlySet<string> = new Set(["kv-request-id"]);
const KV_HEADERS_ON_WRITE: ReadonlySet<string> = new Set([
  "kv-request-id",
  "kv-write-id",
  "kv-attempt",
  "kv-context",
]);
const ATTEMPT_MAX = 1_000;
const REQUEST_ID = /^[A-Za-z0-9._:-]{1,64}$/;
const DOT = /^[0-9a-f]{24}-[0-9a-z]{1,11}$/;
const HEADER_TEXT = /^[\x20-\x7e]*$/;

/** @throws KvError `parameter-invalid` naming the parameter */
export function parseQuery(query: string, kind: RequestKind): Parameters {
  if (query === "") return NONE;
  const allowed = ALLOWED[kind];
  const values = new Map<string, string>();
  for (const pair of query.split("&")) {
    const [name = "", value = "", ...rest] = pair.split("=");
    if (!allowed.includes(name) || rest.length > 0) {
      throw new KvError(
        "parameter-invalid",
        `'${pair.slice(0, 80)}': this request takes ${allowed.join(", ") || "no parameters"}`,
      );
    }
    if (values.has(name)) throw new KvError("parameter-invalid", `'${name}' stands twice`);
    values.set(name, value);
  }
  return {
    r: parseQuorum("r", values.get("r")),
    w: parseQuorum("w", values.get("w")),
    timeoutMs: parseTimeout(values.get("timeout")),
    durability: parseDurability(values.get("durability")),
    ttlSeconds: parseTtl(values.get("ttl")),
    version: parseVersion(values.get("version")),
    explain: parseExplain(values.get("explain")),
    prefix: parsePrefix(values.get("prefix")),
    limit: parseLimit(values.get("limit")),
    cursor: values.get("cursor"),
  };
}

function parseQuorum(name: string, text: string | undefined): QuorumChoice | undefined {
  if (text === undefined) return undefined;
  if (text === "one" || text === "quorum" || text === "all") return text;
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
  throw new KvError("parameter-invalid", `${name} must be 1 to n, one, quorum or all`);
}

function parseTimeout(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new KvError("parameter-invalid", "timeout is a whole number of milliseconds, at least 1");
}

function parseTtl(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = Number(text);
  if (/^[1-9]\d{0,9}$/.test(text) && seconds <= TTL_SECONDS_MAX) return seconds;
  throw new KvError("parameter-invalid", `ttl is 1 to ${TTL_SECONDS_MAX} whole seconds`);
}

function parseVersion(text: string | undefined): string | undefined {
  if (text === undefined || DOT.test(text)) return text;
  throw new KvError("parameter-invalid", "version is one that an answer of siblings named");
}

function parseExplain(text: string | undefined): ExplainChoice | undefined {
  if (text === "") return "all";
  if (text === undefined || text === "placement") return text;
  throw new KvError("parameter-invalid", "explain takes no value, or placement");
}

/** Percent-encoded like a key; what no key can begin with is a mistake. */
function parsePrefix(text: string | undefined): Uint8Array | undefined {
  if (text === undefined) return undefined;
  const bytes = percentBytes(text);
  if (bytes !== undefined && bytes.byteLength <= KEY_BYTES_MAX) return bytes;
  throw new KvError(
    "parameter-invalid",
    `prefix is at most ${KEY_BYTES_MAX} bytes, percent-encoded`,
  );
}

function parseLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const limit = Number(text);
  if (/^[1-9]\d{0,3}$/.test(text) && limit <= LIST_LIMIT_MAX) return limit;
  throw new KvError("parameter-invalid", `limit is 1 to ${LIST_LIMIT_MAX}`);
}

function parseDurability(text: string | undefined): Durability | undefined {
  if (text === undefined || text === "sync" || text === "async") return text;
  throw new KvError("parameter-invalid", "durability must be sync or async");
}

/**
 * What no client sends and what proxies disagree about is refused, so that nobody can make two of them
 * see different requests. Work then begins with a whole request or not at all.
 * @throws KvError `request-invalid`
 */
export function checkShape({ method, httpVersion, headers, rawHeaders }: IncomingMessage): void {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    if (name.length === 4 && name.toLowerCase() === "host") hosts += 1;
  }
  if (hosts > 1 || (hosts === 0 && httpVersion === "1.1")) {
    throw new KvError("request-invalid", `one Host header is needed, not ${hosts}`);
  }
  const { expect, "content-length": length = "0", "transfer-encoding": coding } = headers;
  if (method !== "PUT" && method !== "POST" && (coding !== undefined || Number(length) !== 0)) {
    throw new KvError("request-invalid", `a ${method} has no body`);
  }
  if (coding !== undefined && coding.toLowerCase() !== "chunked") {
    throw new KvError("request-invalid", "of transfer codings only 'chunked' is known");
  }
  if (expect !== undefined && expect.toLowerCase() !== "100-continue") {
    throw new KvError("request-invalid", "nothing but 100-continue can be expected");
  }
}

/** @throws KvError `header-invalid` for a KV header that is not known here */
export function checkKvHeaders(request: IncomingMessage, kind: "read" | "write"): void {
  const known = kind === "read" ? KV_HEADERS_ON_READ : KV_HEADERS_ON_WRITE;
  const raw = request.rawHeaders;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] ?? "";
    if (name.length < 3 || (name.charCodeAt(0) | 0x20) !== 0x6b || name.charCodeAt(2) !== 0x2d) {
      continue;
    }
    const lower = name.toLowerCase();
    if (lower.startsWith("kv-") && !known.has(lower)) {
      throw new KvError("header-invalid", `a ${kind} does not take the header '${name}'`);
    }
  }
}

/** @throws KvError `conditional-needs-strong-bucket`: never ignored, never half-checked */
export function checkConditionals(request: IncomingMessage, kind: "read" | "write"): void {
  const { headers } = request;
  if (headers["if-match"] !== undefined || headers["if-unmodified-since"] !== undefined) {
    throw new KvError("conditional-needs-strong-bucket", "If-Match cannot be promised here");
  }
  if (kind === "write" && headers["if-none-match"] !== undefined) {
    throw new KvError("conditional-needs-strong-bucket", "If-None-Match cannot be promised here");
  }
}

/** The id that the log lines and the answer of this request carry. */
export function requestIdOf(request: IncomingMessage): string | undefined {
  const given = request.headers["kv-request-id"];
  return typeof given === "string" && REQUEST_ID.test(given) ? given : undefined;
}

export function writeIdOf(request: IncomingMessage): WriteId | undefined {
  const given = request.headers["kv-write-id"];
  return given === undefined ? undefined : parseWriteId(String(given));
}

/** What the client has seen of the key; whether it is one of ours is for the coordinator to say. */
export function contextOf(request: IncomingMessage): string | undefined {
  const given = request.headers["kv-context"];
  return given === undefined ? undefined : String(given);
}

export function attemptOf(request: IncomingMessage): number {
  const given = request.headers["kv-attempt"];
  return given === undefined ? 1 : parseAttempt("KV-Attempt", String(given));
}

/** @throws KvError `header-invalid` */
export function parseAttempt(name: string, text: string): number {
  const attempt = Number(text);
  if (/^[1-9]\d{0,3}$/.test(text) && attempt <= ATTEMPT_MAX) return attempt;
  throw new KvError("header-invalid", `${name} must be 1 to ${ATTEMPT_MAX}`);
}

/** A header that is stored with the value. */
export function contentHeaderOf(
  request: IncomingMessage,
  name: "content-type" | "content-encoding",
): string | undefined {
  const given = request.headers[name];
  if (given !== undefined) checkContentHeader(name, given);
  return given;
}

/** @throws KvError `header-invalid` */
export function checkContentHeader(name: string, text: string): void {
  if (text.length > CONTENT_HEADER_LENGTH_MAX || !HEADER_TEXT.test(text)) {
    throw new KvError(
      "header-invalid",
      `${name} must be at most ${CONTENT_HEADER_LENGTH_MAX} printable ASCII characters`,
    );
  }
}
