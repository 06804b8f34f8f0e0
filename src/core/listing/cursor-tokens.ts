import { base64url, concatBytes, fromBase64url, utf8 } from "../bytes.ts";
import { KvError } from "../errors.ts";
import { equalMacs, hmac } from "../hash.ts";
import { KEY_BYTES_MAX } from "../ids.ts";
import type { BucketName, Key } from "../ids.ts";

const VERSION = 1;
const MAC_BYTES = 32;
/** Behind it stand the bucket, 00, the length of the prefix, and the key: one reading of the four. */
const PURPOSE = utf8("quorate list cursor 1\0");

/** What a listing is of. */
export interface Listing {
  readonly bucket: BucketName;
  readonly prefix: Uint8Array;
}

/**
 * Where a listing goes on, as clients carry it: opaque, authenticated, bound to one bucket and prefix.
 * It names the last key that was dealt with, so it outlives nodes, layouts and the page it came with.
 *
 *     base64url(version 1 | the key behind the prefix | HMAC-SHA-256 over bucket, prefix and key, 32)
 *
 * The prefix is left out because the request names it again: cursor and prefix together are never
 * much longer than the longest key.
 */
export class CursorTokens {
  readonly #secret: string;
  readonly #accepted: readonly string[];

  /** @param secrets the one that signs, then those that are still accepted. */
  constructor(secrets: readonly [string, ...string[]]) {
    this.#secret = secrets[0];
    this.#accepted = secrets;
  }

  /** @param key begins with the prefix */
  tokenOf(listing: Listing, key: Key): string {
    const rest = key.subarray(listing.prefix.byteLength);
    const mac = macOf(this.#secret, listing, key);
    return base64url(concatBytes([Uint8Array.of(VERSION), rest, mac]));
  }

  /** @throws KvError `cursor-invalid` */
  parse(listing: Listing, token: string): Key {
    const bytes = fromBase64url(token);
    const macAt = (bytes?.byteLength ?? 0) - MAC_BYTES;
    if (bytes === undefined || macAt < 1) throw refusal("it is no cursor at all");
    if (bytes[0] !== VERSION) throw refusal("it is of another version");
    const key = concatBytes([listing.prefix, bytes.subarray(1, macAt)]);
    if (key.byteLength < 1 || key.byteLength > KEY_BYTES_MAX) throw refusal("it names no key");
    const mac = bytes.subarray(macAt);
    if (!this.#accepted.some((secret) => equalMacs(macOf(secret, listing, key), mac))) {
      throw refusal("it was made for another bucket or prefix, or not by this cluster");
    }
    return key as Key;
  }
}

function macOf(secret: string, { bucket, prefix }: Listing, key: Uint8Array): Uint8Array {
  const prefixLength = Uint8Array.of(prefix.byteLength >> 8, prefix.byteLength);
  return hmac(secret, [PURPOSE, utf8(`${bucket}\0`), prefixLength, key]);
}

function refusal(why: string): KvError {
  return new KvError("cursor-invalid", `the cursor is not one of this listing: ${why}`);
}
