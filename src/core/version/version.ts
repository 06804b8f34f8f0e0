import type { Stamp } from "../hlc.ts";
import type { ActorId, WriteId } from "../ids.ts";

/** Bound on a stored Content-Type or Content-Encoding, in characters. */
export const CONTENT_HEADER_LENGTH_MAX = 255;

/** What a client stores: opaque bytes and how to read them. */
export interface Content {
  readonly value: Uint8Array;
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
}

/** One write of one key. Its dot is (actor, stamp); `content` is undefined in a tombstone. */
export interface Version {
  readonly stamp: Stamp;
  readonly actor: ActorId;
  readonly writeId: WriteId;
  readonly content: Content | undefined;
}
