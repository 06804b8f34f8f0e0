import type { Stamp } from "../hlc.ts";
import type { ActorId } from "../ids.ts";

/** Names one version of a key in a siblings bucket: who minted it, and when by that one's clock. */
export interface Dot {
  readonly actor: ActorId;
  readonly stamp: Stamp;
}

export function dotOf({ actor, stamp }: Dot): Dot {
  return { actor, stamp };
}

/** As clients see it: opaque to them, the same from every node. */
export function dotText({ actor, stamp }: Dot): string {
  return `${actor}-${stamp.toString(36)}`;
}
