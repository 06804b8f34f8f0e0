import { DEFAULT_BUCKET } from "../core/bucket.ts";
import { base64url, utf8 } from "../core/bytes.ts";
import { KvError } from "../core/errors.ts";
import { parseBucketName, parseKey } from "../core/ids.ts";

/** Path and query of a key. */
export function targetOf(
  key: string | Uint8Array,
  bucket: string = DEFAULT_BUCKET,
  query: Readonly<Record<string, string | number | undefined>>,
): string {
  const path = `/v1/kv64/${parseBucketName(bucket)}/${base64url(parseKey(keyBytes(key)))}`;
  const parameters = Object.entries(query)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return parameters.length === 0 ? path : `${path}?${parameters.join("&")}`;
}

function keyBytes(key: string | Uint8Array): Uint8Array {
  if (typeof key !== "string") return key;
  // UTF-8 has no half surrogates: each would become U+FFFD, and different keys one.
  if (/\p{Surrogate}/u.test(key)) throw new KvError("key-invalid", "the key is not valid Unicode");
  return utf8(key);
}
