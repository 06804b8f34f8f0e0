import type { NodeId } from "../ids.ts";
import type { Layout } from "../layout/layout.ts";

/** Partitions that the same nodes hold: one question to each of these covers them all. */
export interface ReplicaGroup {
  /** In the order of the first partition's preference list. */
  readonly replicas: readonly NodeId[];
  readonly partitions: readonly number[];
}

export function replicaGroups(layout: Layout, n: number): readonly ReplicaGroup[] {
  const groups = new Map<string, { replicas: readonly NodeId[]; partitions: number[] }>();
  for (let partition = 0; partition < layout.partitionCount; partition++) {
    const replicas = layout.preferenceList(partition, n);
    const name = replicas.toSorted().join();
    const group = groups.get(name);
    if (group === undefined) groups.set(name, { replicas, partitions: [partition] });
    else group.partitions.push(partition);
  }
  return [...groups.values()];
}
