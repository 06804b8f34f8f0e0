import { allocateBytes, compareBytes, EMPTY_BYTES } from "../bytes.ts";
import { ByteReader, ByteWriter } from "../codec.ts";
import { STAMPS_PER_MS } from "../hlc.ts";
import type { Stamp } from "../hlc.ts";
import type { WriteIdentity, WriteIdHash } from "./write-identity.ts";

/**
 * The writes of a key that a record has merged lately, live or superseded: by them a retry of a write
 * is recognised, also after another write came between. Entries as stored, newest first:
 *
 *     stamp, 8 | hash of the write id, 8 | hash of the content, 4
 *
 * Bytes compare as entries do. What is kept depends on the set alone (the newest RECENT_MAX of those
 * within RECENT_MS of the newest), so merging stays commutative, associative and idempotent.
 */
export type Recent = Uint8Array;

/** A write that a record knows. */
export interface KnownWrite {
  readonly stamp: Stamp;
  readonly contentHash: number;
}

export const RECENT_MAX = 16;
export const RECENT_MS = 10 * 60 * 1000;
export const RECENT_ENTRY_BYTES = 20;
const ID_HASH_BYTES = 8;

/** The one entry of a version that was minted just now. */
export function recentOf(stamp: Stamp, { idHash, contentHash }: WriteIdentity): Recent {
  const writer = new ByteWriter(RECENT_ENTRY_BYTES);
  writer.u64(stamp);
  writer.hex(idHash);
  writer.u32(contentHash);
  return writer.written();
}

/** Returns one of its arguments, by identity, when the result equals it. */
export function mergeRecent(a: Recent, b: Recent): Recent {
  const merged = trimmed(union(a, b));
  if (compareBytes(merged, a) === 0) return a;
  return compareBytes(merged, b) === 0 ? b : merged;
}

/** The newest entry of this write id. */
export function findRecent(recent: Recent, id: WriteIdHash): KnownWrite | undefined {
  const reader = new ByteReader(recent);
  while (!reader.ended) {
    const stamp = reader.u64() as Stamp;
    const idHash = reader.hex(ID_HASH_BYTES);
    const contentHash = reader.u32();
    if (idHash === id) return { stamp, contentHash };
  }
  return undefined;
}

/** Of two lists in descending order, in descending order. */
function union(a: Recent, b: Recent): Recent {
  if (a.byteLength === 0) return b;
  if (b.byteLength === 0) return a;
  const out = allocateBytes(a.byteLength + b.byteLength);
  let length = 0;
  let i = 0;
  let j = 0;
  while (i < a.byteLength || j < b.byteLength) {
    const x = a.subarray(i, i + RECENT_ENTRY_BYTES);
    const y = b.subarray(j, j + RECENT_ENTRY_BYTES);
    const order = compareBytes(x, y);
    out.set(order >= 0 ? x : y, length);
    length += RECENT_ENTRY_BYTES;
    if (order >= 0) i += RECENT_ENTRY_BYTES;
    if (order <= 0) j += RECENT_ENTRY_BYTES;
  }
  return out.subarray(0, length);
}

function trimmed(sorted: Recent): Recent {
  const most = sorted.subarray(0, RECENT_MAX * RECENT_ENTRY_BYTES);
  if (most.byteLength === 0) return EMPTY_BYTES;
  const oldest = stampAt(most, 0) - RECENT_MS * STAMPS_PER_MS;
  let end = most.byteLength;
  while (stampAt(most, end - RECENT_ENTRY_BYTES) < oldest) end -= RECENT_ENTRY_BYTES;
  return most.subarray(0, end);
}

function stampAt(recent: Recent, at: number): number {
  return new ByteReader(recent, at).u64();
}
