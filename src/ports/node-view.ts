import type { BucketProperties } from "../core/bucket.ts";
import type { BucketName } from "../core/ids.ts";
import type { ClusterDocument } from "../core/layout/cluster-document.ts";
import type { Member } from "../core/layout/layout.ts";
import type { PeerState } from "./transport.ts";

type MemberState = PeerState | { readonly kind: "self" };

/** What a node tells operators about itself and the cluster as it sees it. */
export interface NodeView {
  readonly id: string;
  readonly clusterId: string;
  readonly version: string;
  readonly state: "ready" | "draining";
  readonly document: ClusterDocument;
  memberState(member: Member): MemberState;
  bucket(name: BucketName): BucketProperties | undefined;
}
