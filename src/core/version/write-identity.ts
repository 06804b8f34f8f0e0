import { latin1 } from "../bytes.ts";
import { hash32, hash64 } from "../hash.ts";
import type { WriteId } from "../ids.ts";
import type { Content } from "./version.ts";

/** 64 bits of a write id's hash, 16 hex digits. */
export type WriteIdHash = string & { readonly __brand: "WriteIdHash" };

/** By what a retry of a write is known again. */
export interface WriteIdentity {
  readonly writeId: WriteId;
  readonly idHash: WriteIdHash;
  /**
   * 32 bits of all that the client asked to be stored. It tells a retry from the mistake of using an
   * id twice; who means to deceive it deceives himself.
   */
  readonly contentHash: number;
}

export function writeIdentity(write: {
  readonly writeId: WriteId;
  /** undefined: a delete. */
  readonly content: Content | undefined;
  readonly ttlSeconds: number | undefined;
}): WriteIdentity {
  const { writeId, content, ttlSeconds } = write;
  const { contentType, contentEncoding } = content ?? {};
  const about = [
    content === undefined ? "delete" : "put",
    contentType,
    contentEncoding,
    ttlSeconds,
  ];
  const seed = hash32(latin1(JSON.stringify(about)));
  return {
    writeId,
    idHash: hash64(writeId) as WriteIdHash,
    contentHash: content === undefined ? seed : hash32(content.value, seed),
  };
}
