import { ByteReader, ByteWriter, DecodeError } from "../codec.ts";
import type { Stamp } from "../hlc.ts";
import type { ActorId } from "../ids.ts";

/**
 * Which versions of a key somebody has seen: those of each actor up to a stamp. Whoever holds a
 * version of an actor holds or has discarded every earlier one of that actor, so one stamp an actor
 * says it all. Encoded, the same on disk, on the wire and within a client's token:
 *
 *     (actor, 12 | stamp, 8) for each actor, actors ascending
 */
export type CausalContext = ReadonlyMap<ActorId, Stamp>;

/** Seen nothing: a write with this context stands beside whatever else there is. */
export const NOTHING_SEEN: CausalContext = new Map();

export const ACTOR_BYTES = 12;
export const CONTEXT_ENTRY_BYTES = ACTOR_BYTES + 8;

/** Who has seen both has seen the later of each actor. */
export function joinContexts(a: CausalContext, b: CausalContext): CausalContext {
  if (b.size === 0) return a;
  if (a.size === 0) return b;
  const joined = new Map(a);
  for (const [actor, stamp] of b) {
    const other = joined.get(actor);
    if (other === undefined || stamp > other) joined.set(actor, stamp);
  }
  return joined;
}

export function encodeContext(context: CausalContext): Uint8Array {
  const writer = new ByteWriter(context.size * CONTEXT_ENTRY_BYTES);
  for (const [actor, stamp] of [...context].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    writer.hex(actor);
    writer.u64(stamp);
  }
  return writer.written();
}

/** @throws DecodeError */
export function decodeContext(bytes: Uint8Array): CausalContext {
  const reader = new ByteReader(bytes);
  const context = new Map<ActorId, Stamp>();
  let before = "";
  while (!reader.ended) {
    const actor = reader.hex(ACTOR_BYTES) as ActorId;
    if (actor <= before) throw new DecodeError("the actors of a context ascend");
    before = actor;
    context.set(actor, reader.u64() as Stamp);
  }
  return context;
}
