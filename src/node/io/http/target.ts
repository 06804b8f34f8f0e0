import { EMPTY_BYTES, fromBase64url, latin1 } from "../../../core/bytes.ts";
import { KvError } from "../../../core/errors.ts";
import { parseBucketName, parseKey } from "../../../core/ids.ts";
import type { BucketName, Key } from "../../../core/ids.ts";

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

/** Undoes percent-encoding byte by byte; what the bytes mean is the client's affair. */
function percentKey(text: string): Uint8Array {
  const bytes = text.includes("%") ? percentDecoded(text) : latin1(text);
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

function percentDecoded(text: string): Uint8Array {
  const decoded = new Uint8Array(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    let byte = text.charCodeAt(at);
    if (byte === 0x25) {
      const digits = text.slice(at + 1, at + 3);
      if (!/^[0-9a-fA-F]{2}$/.test(digits)) {
        throw new KvError("key-invalid", `'%${digits}' is no percent-encoded byte`);
      }
      byte = Number.parseInt(digits, 16);
      at += 2;
    }
    decoded[length] = byte;
    length += 1;
  }
  return length === 0 ? EMPTY_BYTES : decoded.slice(0, length);
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
