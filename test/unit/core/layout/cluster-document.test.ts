import { expect, test } from "vitest";
import { firstClusterDocument } from "../../../../src/core/layout/cluster-document.ts";
import { members } from "../support/arbitraries.ts";

test("the first document has version 1, epoch 1 and the bucket default alone", () => {
  const { version, layout, buckets } = firstClusterDocument(members(3));
  expect(version).toBe(1);
  expect(layout.epoch.number).toBe(1);
  expect([...buckets.keys()]).toEqual(["default"]);
});

test("every node derives the same first document from its copy of the peer list", () => {
  const [one, other] = [members(5), members(5).toReversed()].map(firstClusterDocument);
  expect(other?.layout.epoch).toEqual(one?.layout.epoch);
  expect(other?.buckets).toEqual(one?.buckets);
});

test("no bucket asks for more replicas than there are members (1 to 5 of them)", () => {
  for (let count = 1; count <= 5; count++) {
    const { layout, buckets } = firstClusterDocument(members(count));
    for (const { n, r, w } of buckets.values()) {
      expect(layout.preferenceList(0, n)).toHaveLength(n);
      expect(Math.max(r, w)).toBeLessThanOrEqual(n);
    }
  }
});
