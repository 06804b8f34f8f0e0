import { fromBase64url } from "../../../core/bytes.ts";
import { KvError } from "../../../core/errors.ts";
import { parseBucketName, parseKey } from "../../../core/ids.ts";
import type { BucketName, Key } from "../../../core/ids.ts";
import { percentBytes } from "./percent.ts";

/** Bucket, key and the raw query of a key route's request target. */
export interface KeyTarget {
  readonly bucket: BucketName;
  readonly key: Key;
  readonly query: string;
}

const KV = "/v1/kv/";
const KV64 = "/v1/kv64/";

const ABSOLUTE_FORM = /^https?:\/\/[^/?#]+(?=\/)/i;

/** The form that is meant for proxies is understood too (RFC 9112, 3.2.2); its host says nothing here. */
export function originForm(url: string): string {
  return url.startsWith("/") ? url : url.replace(ABSOLUTE_FORM, "");
}

/** At the first "?": what follows it is the query, further question marks and all. */
export function splitTarget(url: string): { readonly path: string; readonly query: string } {
  const queryAt = url.indexOf("?");
  if (queryAt < 0) return { path: url, query: "" };
  return { path: url.slice(0, queryAt), query: url.slice(queryAt + 1) };
}

/** `/v1/kv/{bucket}/`: what would be the empty key is the bucket's listing. */
export function isListTarget(url: string): boolean {
  return /^\/v1\/kv\/[^/?]*\/(\?|$)/.test(url);
}

export function parseListTarget(url: string): { bucket: BucketName; query: string } {
  const { path, query } = splitTarget(url);
  return { bucket: parseBucketName(path.slice(KV.length, -1)), query };
}

/** @throws KvError `bucket-name-invalid`, `key-invalid`, `route-not-found` */
export function parseKeyTarget(url: string): KeyTarget {
  const { path, query } = splitTarget(url);
  const encoded64 = path.startsWith(KV64);
  const bucketAt = encoded64 ? KV64.length : KV.length;
  const keyAt = path.indexOf("/", bucketAt) + 1;
  if (keyAt === 0) throw new KvError("route-not-found", "a key route is /v1/kv/{bucket}/{key}");
  const bucket = parseBucketName(path.slice(bucketAt, keyAt - 1));
  const rest = path.slice(keyAt);
  return { bucket, key: parseKey(encoded64 ? base64urlKey(rest) : percentKey(rest)), query };
}

function base64urlKey(text: string): Uint8Array {
  const bytes = fromBase64url(text);
  if (bytes === undefined) throw new KvError("key-invalid", "the key is not unpadded base64url");
  return bytes;
}

function percentKey(text: string): Uint8Array {
  const bytes = percentBytes(text);
  if (bytes === undefined) {
    throw new KvError("key-invalid", "a '%' without two hexadecimal digits is no byte");
  }
  if (bytes.includes(0)) {
    throw new KvError("key-invalid", "a key with the byte NUL is written as /v1/kv64/…");
  }
  if (hasDotSegment(bytes)) {
    throw new KvError(
      "key-invalid",
      "a key with a path segment '.' or '..' is written as /v1/kv64/…: clients and proxies rewrite it here",
    );
  }
  return bytes;
}

const SLASH = 0x2f;
const DOT = 0x2e;

function hasDotSegment(bytes: Uint8Array): boolean {
  if (!bytes.includes(DOT)) return false;
  let start = 0;
  while (start <= bytes.byteLength) {
    const slash = bytes.indexOf(SLASH, start);
    const end = slash < 0 ? bytes.byteLength : slash;
    const dots = bytes.subarray(start, end);
    if ((dots.byteLength === 1 || dots.byteLength === 2) && dots.every((byte) => byte === DOT)) {
      return true;
    }
    start = end + 1;
  }
  return false;
}
