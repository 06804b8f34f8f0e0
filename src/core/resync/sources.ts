import type { NodeId } from "../ids.ts";
import type { ClusterDocument } from "../layout/cluster-document.ts";

/** The partitions that a node must hold for some bucket. */
export function partitionsOf(document: ClusterDocument, node: NodeId): readonly number[] {
  const partitions = Array.from({ length: document.layout.partitionCount }, (_, i) => i);
  return partitions.filter((partition) => sharers(document, partition, node).length > 0);
}

/** The other replicas of a partition, for all buckets together, in the layout's order. */
export function sourcesOf(
  document: ClusterDocument,
  partition: number,
  node: NodeId,
): readonly NodeId[] {
  const lists = sharers(document, partition, node).map(({ others }) => others);
  return [...new Set(lists.toSorted((a, b) => b.length - a.length).flat())];
}

/**
 * Whether `copied` are enough others to have had, together, everything that the node acknowledged:
 * N − W + 1 of each bucket. What W replicas acknowledged, the node among them, is on W − 1 of the
 * N − 1 others, so any N − W + 1 of them hold it. With W = 1 not even all others may.
 */
export function areEnough(
  copied: ReadonlySet<NodeId>,
  { document, partition, node }: { document: ClusterDocument; partition: number; node: NodeId },
): boolean {
  return sharers(document, partition, node).every(({ others, w }) => {
    const needed = Math.min(others.length, others.length + 2 - w);
    return others.filter((other) => copied.has(other)).length >= needed;
  });
}

/** Of each bucket whose replicas of the partition include the node: W, and the other replicas. */
function sharers(
  { layout, buckets }: ClusterDocument,
  partition: number,
  node: NodeId,
): readonly { readonly w: number; readonly others: readonly NodeId[] }[] {
  return [...buckets.values()].flatMap(({ n, w }) => {
    const list = layout.preferenceList(partition, n);
    return list.includes(node) ? [{ w, others: list.filter((other) => other !== node) }] : [];
  });
}
