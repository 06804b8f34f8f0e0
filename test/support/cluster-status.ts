import type { ClusterStatus } from "../../src/client/client.ts";

/** What a node of three in peace tells. */
export function statusOf(node: string, fields: Partial<ClusterStatus> = {}): ClusterStatus {
  return {
    clusterId: "c1",
    node,
    version: "0.1.0",
    state: "ready",
    epoch: 1,
    epochHash: "89abcdef",
    documentVersion: 1,
    partitions: 256,
    members: ["n1", "n2", "n3"].map((id) => ({
      id,
      zone: null,
      peerAddress: `10.0.0.${id.slice(1)}:7180`,
      state: id === node ? "self" : "connected",
      reason: null,
      clockOffsetMs: id === node ? null : 2,
    })),
    clockProblem: null,
    clockOffsetMaxMs: 500,
    resync: null,
    buckets: [],
    ...fields,
  };
}
