import { expect, test } from "vitest";
import { DEFAULT_BUCKET, majority } from "../../../src/core/bucket.ts";
import { defaultBucketProperties } from "../../../src/core/bucket-properties.ts";
import { nodeIds, subsets } from "./support/arbitraries.ts";

test("a majority of n is the smallest number of which any two sets meet (n = 1..7)", () => {
  for (let n = 1; n <= 7; n++) {
    const sets = subsets(nodeIds(n));
    const meet = (size: number): boolean => {
      const sized = sets.filter((set) => set.length === size);
      return sized.every((a) => sized.every((b) => a.some((node) => b.includes(node))));
    };
    const smallest = Array.from({ length: n }, (_, i) => i + 1).find(meet);
    expect(majority(n)).toBe(smallest);
  }
});

test("the bucket default has n = 3, or all members when they are fewer, and r = w = majority", () => {
  expect(DEFAULT_BUCKET).toBe("default");
  const sizes = [1, 2, 3, 4, 12].map((count) => {
    const { n, r, w } = defaultBucketProperties(count);
    return [n, r, w];
  });
  expect(sizes).toEqual([
    [1, 1, 1],
    [2, 2, 2],
    [3, 2, 2],
    [3, 2, 2],
    [3, 2, 2],
  ]);
});

test("the bucket default is lww, fsyncs before it acknowledges, and takes values up to 1 MiB", () => {
  expect(defaultBucketProperties(3)).toMatchObject({
    mode: "lww",
    durability: "sync",
    valueBytesMax: 1_048_576,
  });
});
