import { base64url, concatBytes, fromBase64url, utf8 } from "../bytes.ts";
import { DecodeError } from "../codec.ts";
import { KvError } from "../errors.ts";
import { equalMacs, hmac } from "../hash.ts";
import type { RecordKey } from "../record-key.ts";
import { CONTEXT_ENTRY_BYTES, decodeContext, encodeContext } from "./causal-context.ts";
import type { CausalContext } from "./causal-context.ts";

const VERSION = 1;
const MAC_BYTES = 32;
/** Of a token, in characters, so that with all other headers it passes any proxy. */
const TOKEN_LENGTH_MAX = 4 * 1024;
/** Behind it stands the record key, then the context, whose length is known: one reading of the three. */
const PURPOSE = utf8("quorate causal context 1\0");

/** Actors that a context may name before its token would exceed 4 KiB. */
export const CONTEXT_ACTORS_MAX = Math.floor(
  ((TOKEN_LENGTH_MAX * 3) / 4 - 1 - MAC_BYTES) / CONTEXT_ENTRY_BYTES,
);

/**
 * Causal contexts as clients carry them: opaque, authenticated, bound to one bucket and key. A context
 * that a client could make up, or take from another key, would discard versions that nobody has seen.
 *
 *     base64url(version 1 | context | HMAC-SHA-256 over record key and context, 32)
 */
export class ContextTokens {
  readonly #secret: string;
  readonly #accepted: readonly string[];

  /** @param secrets the one that signs, then those that are still accepted. */
  constructor(secrets: readonly [string, ...string[]]) {
    this.#secret = secrets[0];
    this.#accepted = secrets;
  }

  tokenOf(key: RecordKey, context: CausalContext): string {
    const bytes = encodeContext(context);
    return base64url(concatBytes([Uint8Array.of(VERSION), bytes, macOf(this.#secret, key, bytes)]));
  }

  /** @throws KvError `context-invalid` */
  parse(key: RecordKey, token: string): CausalContext {
    if (token.length > TOKEN_LENGTH_MAX) throw refusal("it exceeds 4 KiB");
    const bytes = fromBase64url(token);
    const macAt = (bytes?.byteLength ?? 0) - MAC_BYTES;
    if (bytes === undefined || macAt < 1) throw refusal("it is no context at all");
    if (bytes[0] !== VERSION) throw refusal("it is of a newer version");
    const body = bytes.subarray(1, macAt);
    const mac = bytes.subarray(macAt);
    if (!this.#accepted.some((secret) => equalMacs(macOf(secret, key, body), mac))) {
      throw refusal("it was made for another key, or not by this cluster");
    }
    try {
      return decodeContext(body);
    } catch (error) {
      if (error instanceof DecodeError) throw refusal("it names no actors");
      throw error;
    }
  }
}

function macOf(secret: string, key: RecordKey, context: Uint8Array): Uint8Array {
  return hmac(secret, [PURPOSE, Uint8Array.of(key.byteLength >> 8, key.byteLength), key, context]);
}

function refusal(why: string): KvError {
  return new KvError("context-invalid", `KV-Context is not one of this key: ${why}`);
}
