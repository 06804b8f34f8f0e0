import type { NodeId } from "../core/ids.ts";
import type { PeerHandler } from "./peer-handler.ts";

/** What replicas are asked for: to tell what they hold, or to hold something. */
export type Purpose = "read" | "write";

/** The replicas as a coordinator sees them. */
export interface Replicas {
  /** The node that coordinates; it may or may not be a replica of the key at hand. */
  readonly self: NodeId;
  of(node: NodeId): PeerHandler;
  /** Connected, and nothing speaks against a prompt answer. Being wrong costs time, not truth. */
  isReachable(node: NodeId): boolean;
  /** Orders the replicas: who costs least is asked first, and those of equal cost in list order. */
  cost(node: NodeId, purpose: Purpose): number;
}
