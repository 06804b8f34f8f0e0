import { ACTOR_BYTES, CONTEXT_ENTRY_BYTES } from "../causal/causal-context.ts";
import type { CausalContext } from "../causal/causal-context.ts";
import { latin1Text } from "../bytes.ts";
import { ByteReader, ByteWriter, DecodeError } from "../codec.ts";
import { crc32, hash64 } from "../hash.ts";
import { NO_STAMP } from "../hlc.ts";
import type { Stamp } from "../hlc.ts";
import type { ActorId } from "../ids.ts";
import type { RecordKey } from "../record-key.ts";
import { RECENT_ENTRY_BYTES } from "./recent.ts";
import type { Recent } from "./recent.ts";
import { Sibling } from "./sibling.ts";
import type { Version } from "./version.ts";

export const FORMAT = 2;
export const MODE_SIBLINGS = 2;
const CHECKSUM_BYTES = 4;

/** What a record knows of one actor: a row of its dotted version vector. */
export interface ActorEntry {
  readonly actor: ActorId;
  /** This actor's versions up to it are superseded, whether or not they were ever held here. */
  readonly discarded: Stamp;
  /** Those above it, stamps ascending. */
  readonly siblings: readonly Sibling[];
}

/**
 * The record of a key in a `siblings` bucket: a dotted version vector set (Almeida, Baquero and
 * Gonçalves, "Scalable and Accurate Causality Tracking", 2014) and the writes merged lately. One state
 * has one encoding, so replicas that hold the same hold equal bytes:
 *
 *     format 2 | mode 2 | recent: count, entries of 20 | actors, 2
 *     | for each, ascending: actor, 12 | discarded, 8 | siblings, 2 | siblings, stamps ascending
 *     | CRC-32 of record key and everything before, 4
 */
export class SiblingsRecord {
  readonly kind = "record";
  readonly mode = "siblings";
  readonly bytes: Uint8Array;
  readonly recent: Recent;
  readonly entries: readonly ActorEntry[];

  /** Only for the codec below: `bytes` are the encoding of the rest. */
  constructor(bytes: Uint8Array, recent: Recent, entries: readonly ActorEntry[]) {
    this.bytes = bytes;
    this.recent = recent;
    this.entries = entries;
  }

  /** The greatest stamp that it knows of, be its version live or discarded. */
  get stamp(): Stamp {
    return this.entries.reduce<Stamp>((max, entry) => {
      const newest = newestOf(entry);
      return newest > max ? newest : max;
    }, NO_STAMP);
  }

  /** What its reader has seen: all that it holds and all that was superseded by it. */
  get context(): CausalContext {
    return new Map(this.entries.map((entry) => [entry.actor, newestOf(entry)]));
  }

  get siblings(): readonly Sibling[] {
    return this.entries.flatMap((entry) => entry.siblings);
  }

  get versions(): readonly Version[] {
    return this.siblings.map(({ version }) => version);
  }
}

/** The newest of this actor's versions that is held or discarded. */
export function newestOf({ discarded, siblings }: ActorEntry): Stamp {
  return siblings.at(-1)?.stamp ?? discarded;
}

/** @param entries in any order; those that know nothing are left out. */
export function encodeSiblings(
  key: RecordKey,
  entries: readonly ActorEntry[],
  recent: Recent,
): SiblingsRecord {
  const ordered = entries
    .filter((entry) => newestOf(entry) > NO_STAMP)
    .toSorted((a, b) => (a.actor < b.actor ? -1 : 1));
  const writer = new ByteWriter(
    5 + recent.byteLength + CHECKSUM_BYTES + ordered.reduce((sum, it) => sum + bytesOf(it), 0),
  );
  writer.u8(FORMAT);
  writer.u8(MODE_SIBLINGS);
  writer.u8(recent.byteLength / RECENT_ENTRY_BYTES);
  writer.bytes(recent);
  writer.u16(ordered.length);
  for (const { actor, discarded, siblings } of ordered) {
    writer.hex(actor);
    writer.u64(discarded);
    writer.u16(siblings.length);
    for (const { bytes } of siblings) writer.bytes(bytes);
  }
  writer.u32(crc32(writer.written(), crc32(key)));
  const written = writer.written();
  // Decoded anew, so that nothing of the records that it was made of is kept alive by it.
  return decodeSiblings(written, bodyOf(written));
}

/**
 * Of bytes whose checksum holds.
 * @param reader stands behind the mode and ends before the checksum.
 * @throws DecodeError
 */
export function decodeSiblings(bytes: Uint8Array, reader: ByteReader): SiblingsRecord {
  const recent = reader.bytes(reader.u8() * RECENT_ENTRY_BYTES);
  const entries: ActorEntry[] = [];
  for (let left = reader.u16(); left > 0; left--) {
    const entry = decodeEntry(bytes, reader);
    if (entry.actor <= (entries.at(-1)?.actor ?? "")) throw new DecodeError("actors ascend");
    entries.push(entry);
  }
  reader.finish();
  return new SiblingsRecord(bytes, recent, entries);
}

/** Which siblings there are and what was discarded, and by the checksum the rest. */
export function siblingsDigest({ bytes, entries }: SiblingsRecord): string {
  const identity = entries.map(({ actor, discarded, siblings }) => [
    actor,
    discarded,
    ...siblings.map(({ stamp }) => stamp),
  ]);
  const checksum = bytes.subarray(bytes.byteLength - CHECKSUM_BYTES);
  return hash64(JSON.stringify(identity)) + latin1Text(checksum);
}

function bytesOf({ siblings }: ActorEntry): number {
  return CONTEXT_ENTRY_BYTES + 2 + siblings.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
}

function bodyOf(bytes: Uint8Array): ByteReader {
  const reader = new ByteReader(bytes, 0, bytes.byteLength - CHECKSUM_BYTES);
  reader.skip(2);
  return reader;
}

function decodeEntry(bytes: Uint8Array, reader: ByteReader): ActorEntry {
  const actor = reader.hex(ACTOR_BYTES) as ActorId;
  const discarded = reader.u64() as Stamp;
  const siblings: Sibling[] = [];
  let before = discarded;
  for (let left = reader.u16(); left > 0; left--) {
    const sibling = Sibling.decode(actor, bytes, reader);
    if (sibling.stamp <= before) throw new DecodeError("stamps ascend, above what is discarded");
    before = sibling.stamp;
    siblings.push(sibling);
  }
  return { actor, discarded, siblings };
}
