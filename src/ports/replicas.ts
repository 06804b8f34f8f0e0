import type { NodeId } from "../core/ids.ts";
import type { PeerHandler } from "./peer-handler.ts";

/** The replicas as a coordinator sees them. */
export interface Replicas {
  /** The node that coordinates; it may or may not be a replica of the key at hand. */
  readonly self: NodeId;
  of(node: NodeId): PeerHandler;
  /** A hint for the order in which replicas are asked; being wrong costs time, not truth. */
  isReachable(node: NodeId): boolean;
}
