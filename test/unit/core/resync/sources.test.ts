import { describe, expect, test } from "vitest";
import { DEFAULT_BUCKET } from "../../../../src/core/bucket.ts";
import { parsePeers } from "../../../../src/core/config.ts";
import { parseBucketName, parseNodeId } from "../../../../src/core/ids.ts";
import type { NodeId } from "../../../../src/core/ids.ts";
import { firstClusterDocument } from "../../../../src/core/layout/cluster-document.ts";
import type { ClusterDocument } from "../../../../src/core/layout/cluster-document.ts";
import { areEnough, partitionsOf, sourcesOf } from "../../../../src/core/resync/sources.ts";

const N1 = parseNodeId("n1");

function documentOf(members: number, ...sizes: readonly { n: number; w: number }[]) {
  const names = Array.from({ length: members }, (_, i) => `n${i + 1}=n${i + 1}:1`);
  const document = firstClusterDocument(parsePeers(names.join()));
  const properties = document.buckets.get(DEFAULT_BUCKET);
  if (properties === undefined) throw new Error("the bucket 'default' always exists");
  const buckets = sizes.map(
    (size, i) => [parseBucketName(`bucket-${i}`), { ...properties, ...size }] as const,
  );
  return { ...document, buckets: new Map(buckets) };
}

function subsets<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length === 0) return [[]];
  const [first, ...rest] = items;
  return subsets(rest).flatMap((each) => [
    each,
    ...(first === undefined ? [] : [[first, ...each]]),
  ]);
}

/**
 * The naive rule: whatever W replicas of a bucket, the node among them, acknowledged: some copied one
 * is among them. With W = 1 nothing can be enough; then all that there is must have been copied.
 */
function isEnough(document: ClusterDocument, partition: number, copied: ReadonlySet<NodeId>) {
  return [...document.buckets.values()].every(({ n, w }) => {
    const list = document.layout.preferenceList(partition, n);
    if (!list.includes(N1)) return true;
    const quorums = subsets(list).filter((quorum) => quorum.length === w && quorum.includes(N1));
    if (w === 1) return list.every((node) => node === N1 || copied.has(node));
    return quorums.every((quorum) => quorum.some((node) => node !== N1 && copied.has(node)));
  });
}

describe("the sources of a copy", () => {
  test.each([
    [3, [{ n: 3, w: 2 }]],
    [3, [{ n: 3, w: 1 }]],
    [3, [{ n: 3, w: 3 }]],
    [4, [{ n: 4, w: 2 }]],
    [5, [{ n: 5, w: 3 }]],
    [
      5,
      [
        { n: 3, w: 2 },
        { n: 5, w: 4 },
      ],
    ],
    [
      5,
      [
        { n: 1, w: 1 },
        { n: 4, w: 2 },
      ],
    ],
  ] as const)("of %i members are enough exactly when they must hold it: %o", (members, sizes) => {
    const document = documentOf(members, ...sizes);
    for (const partition of partitionsOf(document, N1)) {
      const sources = sourcesOf(document, partition, N1);
      for (const copied of subsets(sources).map((nodes) => new Set(nodes))) {
        expect(areEnough(copied, { document, partition, node: N1 })).toBe(
          isEnough(document, partition, copied),
        );
      }
      // All together always are, or a copy would never end.
      expect(areEnough(new Set(sources), { document, partition, node: N1 })).toBe(true);
    }
  });

  test("a node copies the partitions of its buckets and no others", () => {
    const document = documentOf(5, { n: 2, w: 2 }, { n: 3, w: 2 });
    const own = partitionsOf(document, N1);
    for (let partition = 0; partition < 256; partition++) {
      const list = document.layout.preferenceList(partition, 3);
      expect(own.includes(partition)).toBe(list.includes(N1));
      if (!list.includes(N1)) continue;
      const others = list.filter((node) => node !== N1);
      expect([...sourcesOf(document, partition, N1)].toSorted()).toEqual(others.toSorted());
    }
  });
});
