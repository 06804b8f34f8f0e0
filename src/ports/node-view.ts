import type { BucketProperties } from "../core/bucket.ts";
import type { BucketName, NodeId } from "../core/ids.ts";
import type { ClusterDocument } from "../core/layout/cluster-document.ts";
import type { ClockOffset } from "../core/membership/peer-clock.ts";
import type { PeerState } from "./transport.ts";

export type MemberState =
  | PeerState
  | { readonly kind: "self" }
  /** Connected, but it leaves requests unanswered: it is asked last. */
  | { readonly kind: "suspect"; readonly reason: string };

/** What a node knows of one member. */
export interface MemberView {
  readonly state: MemberState;
  /** How far its wall clock is ahead of this node's; undefined: not measured. */
  readonly clockOffset: ClockOffset | undefined;
}

/** Why a node's own replica answers no questions in some partitions, and what would end that. */
export interface ResyncView {
  readonly cause: "new" | "lost";
  /** Partitions that may lack what the node acknowledged. */
  readonly partitions: number;
  readonly awaited: readonly { readonly node: NodeId; readonly what: string }[];
}

/** What a node tells operators about itself and the cluster as it sees it. */
export interface NodeView {
  readonly id: string;
  readonly clusterId: string;
  readonly version: string;
  /** `read-only`: the disk is too full for writes of clients; everything else goes on. */
  readonly state: "ready" | "read-only" | "draining";
  readonly document: ClusterDocument;
  readonly clockOffsetMaxMs: number;
  /** Why this node coordinates nothing; undefined: its clock is right as far as it knows. */
  readonly clockProblem: string | undefined;
  /** undefined: the node's directory is whole, as far as it knows. */
  readonly resync: ResyncView | undefined;
  member(node: NodeId): MemberView;
  bucket(name: BucketName): BucketProperties | undefined;
}
