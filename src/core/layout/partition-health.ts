import { majority } from "../bucket.ts";
import type { NodeId } from "../ids.ts";
import type { ClusterDocument } from "./cluster-document.ts";

/** `degraded`: a majority of the replicas is there; `no-quorum`: fewer are. */
export type PartitionHealth = "ok" | "degraded" | "no-quorum";

/**
 * How many partitions are how well off, each by the bucket that is worst off in it.
 *
 * @param isThere whether what the replica holds of the partition can be asked for.
 */
export function partitionHealth(
  { layout, buckets }: ClusterDocument,
  isThere: (node: NodeId, partition: number) => boolean,
): ReadonlyMap<PartitionHealth, number> {
  const sizes = new Set([...buckets.values()].map(({ n }) => n));
  const counts = new Map<PartitionHealth, number>([
    ["ok", 0],
    ["degraded", 0],
    ["no-quorum", 0],
  ]);
  for (let partition = 0; partition < layout.partitionCount; partition++) {
    const healths = [...sizes].map((n): PartitionHealth => {
      const list = layout.preferenceList(partition, n);
      const there = list.filter((node) => isThere(node, partition)).length;
      if (there === n) return "ok";
      return there >= majority(n) ? "degraded" : "no-quorum";
    });
    const worst = (["no-quorum", "degraded"] as const).find((one) => healths.includes(one)) ?? "ok";
    counts.set(worst, (counts.get(worst) ?? 0) + 1);
  }
  return counts;
}
