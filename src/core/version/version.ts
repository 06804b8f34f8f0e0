import { stampOfMs } from "../hlc.ts";
import type { Stamp } from "../hlc.ts";
import type { ActorId, WriteId } from "../ids.ts";

/** Bound on a stored Content-Type or Content-Encoding, in characters. */
export const CONTENT_HEADER_LENGTH_MAX = 255;
/** Longest life that a version may be given: ten years. */
export const TTL_SECONDS_MAX = 10 * 366 * 24 * 3_600;

/** What a client stores: opaque bytes and how to read them. */
export interface Content {
  readonly value: Uint8Array;
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
}

/** Tells any two versions of a key apart for clients: attempts of one write differ by their stamps. */
export interface VersionIdentity {
  readonly stamp: Stamp;
  readonly writeId: WriteId;
}

/** One write of one key. Its dot is (actor, stamp); `content` is undefined in a tombstone. */
export interface Version extends VersionIdentity {
  readonly actor: ActorId;
  readonly content: Content | undefined;
  /** Milliseconds since 1970 from which on the version counts as absent; undefined: it stays. */
  readonly expiresAt: number | undefined;
}

/**
 * Whether the version is over at this reading of a hybrid logical clock. Replicas store, compare and
 * merge an expired version like any other; only the view of a reader changes.
 */
export function isExpired({ expiresAt }: Version, clock: Stamp): boolean {
  return expiresAt !== undefined && stampOfMs(expiresAt) <= clock;
}
