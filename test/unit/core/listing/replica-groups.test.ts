import { expect, test } from "vitest";
import { Layout } from "../../../../src/core/layout/layout.ts";
import { replicaGroups } from "../../../../src/core/listing/replica-groups.ts";
import { members } from "../support/arbitraries.ts";

test.each([
  { nodes: 1, n: 1, groups: 1 },
  { nodes: 3, n: 3, groups: 1 },
  { nodes: 5, n: 3, groups: 10 },
  { nodes: 7, n: 1, groups: 7 },
])("$nodes members hold all partitions in $groups groups (N=$n)", ({ nodes, n, groups: count }) => {
  const layout = new Layout({ number: 1, members: members(nodes) });
  const groups = replicaGroups(layout, n);
  expect(groups).toHaveLength(count);
  const partitions = groups.flatMap((group) => group.partitions);
  expect(partitions.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 256 }, (_, i) => i));
  for (const group of groups) {
    for (const partition of group.partitions) {
      expect(layout.preferenceList(partition, n).toSorted()).toEqual(group.replicas.toSorted());
    }
  }
});
