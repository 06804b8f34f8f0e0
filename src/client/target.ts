import { DEFAULT_BUCKET } from "../core/bucket.ts";
import { base64url, latin1Text, utf8 } from "../core/bytes.ts";
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

/** Path and query of a bucket's listing; the prefix is percent-encoded byte by byte. */
export function listTargetOf(
  bucket: string = DEFAULT_BUCKET,
  {
    prefix = "",
    ...query
  }: {
    readonly prefix?: string | Uint8Array | undefined;
    readonly limit?: number | undefined;
    readonly cursor?: string | undefined;
    readonly r?: string | number | undefined;
  },
): string {
  const parameters = [
    ["prefix", percentText(keyBytes(prefix))],
    ...Object.entries(query)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, encodeURIComponent(String(value))]),
  ].filter(([, text]) => text !== "");
  const path = `/v1/kv/${parseBucketName(bucket)}/`;
  const text = parameters.map((parameter) => parameter.join("=")).join("&");
  return text === "" ? path : `${path}?${text}`;
}

function percentText(bytes: Uint8Array): string {
  return latin1Text(bytes).replace(
    /[^A-Za-z0-9._~/-]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

export function keyBytes(key: string | Uint8Array): Uint8Array {
  if (typeof key !== "string") return key;
  // UTF-8 has no half surrogates: each would become U+FFFD, and different keys one.
  if (/\p{Surrogate}/u.test(key)) throw new KvError("key-invalid", "the key is not valid Unicode");
  return utf8(key);
}
