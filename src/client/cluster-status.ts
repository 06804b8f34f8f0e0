import { jsonObject } from "./answer.ts";
import type { Bucket } from "./bucket-calls.ts";

/** A node's own view of its cluster, as `GET /v1/cluster` tells it. */
export interface ClusterStatus {
  readonly clusterId: string;
  readonly node: string;
  readonly version: string;
  /** `ready`, `read-only` (its disk is nearly full) or `draining`; a newer node may know more. */
  readonly state: string;
  readonly epoch: number;
  readonly epochHash: string;
  readonly documentVersion: number;
  readonly partitions: number;
  /** Why the node coordinates nothing; null: its clock agrees with most members'. */
  readonly clockProblem: string | null;
  readonly clockOffsetMaxMs: number;
  /** Why the node's own replica answers no questions in some partitions; null: it is whole. */
  readonly resync: ResyncStatus | null;
  readonly members: readonly MemberStatus[];
  readonly buckets: readonly BucketStatus[];
}

interface ResyncStatus {
  /** `new` or `lost`; a newer node may know more. */
  readonly cause: string;
  readonly partitions: number;
  readonly awaited: readonly { readonly node: string; readonly what: string }[];
}

interface MemberStatus {
  readonly id: string;
  readonly zone: string | null;
  readonly peerAddress: string;
  /** `self`, `connected`, `suspect` or `unreachable`; a newer node may know more. */
  readonly state: string;
  readonly reason: string | null;
  /** How far the member's clock is ahead of the node's; null: not measured. */
  readonly clockOffsetMs: number | null;
}

type BucketStatus = Pick<
  Bucket,
  "name" | "mode" | "n" | "r" | "w" | "durability" | "valueBytesMax"
>;

/** @returns undefined for anything that a Quorate node would not say. */
export function clusterStatusOf(body: Uint8Array): ClusterStatus | undefined {
  const fields = jsonObject(body);
  const looksRight =
    fields !== undefined &&
    ["clusterId", "node", "version", "state", "epochHash"].every(
      (name) => typeof fields.get(name) === "string",
    ) &&
    ["epoch", "documentVersion", "partitions"].every(
      (name) => typeof fields.get(name) === "number",
    ) &&
    Array.isArray(fields.get("members")) &&
    Array.isArray(fields.get("buckets"));
  return looksRight ? (Object.fromEntries(fields) as unknown as ClusterStatus) : undefined;
}
