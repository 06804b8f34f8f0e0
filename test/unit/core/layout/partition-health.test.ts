import { expect, test } from "vitest";
import { DEFAULT_BUCKET } from "../../../../src/core/bucket.ts";
import { parsePeers } from "../../../../src/core/config.ts";
import { parseBucketName } from "../../../../src/core/ids.ts";
import { firstClusterDocument } from "../../../../src/core/layout/cluster-document.ts";
import { partitionHealth } from "../../../../src/core/layout/partition-health.ts";

const FIVE = firstClusterDocument(
  parsePeers(["n1", "n2", "n3", "n4", "n5"].map((id) => `${id}=${id}:1`).join(",")),
);
const ALL = FIVE.layout.partitionCount;

function document(...sizes: readonly number[]) {
  const properties = FIVE.buckets.get(DEFAULT_BUCKET);
  if (properties === undefined) throw new Error("the bucket 'default' always exists");
  const buckets = sizes.map((n) => [parseBucketName(`of-${n}`), { ...properties, n }] as const);
  return { ...FIVE, buckets: new Map(buckets) };
}

function without(...gone: readonly string[]) {
  return (node: string): boolean => !gone.includes(node);
}

test("with every replica there all partitions are ok", () => {
  const health = partitionHealth(document(3), without());
  expect([...health]).toEqual([
    ["ok", ALL],
    ["degraded", 0],
    ["no-quorum", 0],
  ]);
});

test.each([
  { n: 5, gone: ["n1"], state: "degraded" },
  { n: 5, gone: ["n1", "n2"], state: "degraded" },
  { n: 5, gone: ["n1", "n2", "n3"], state: "no-quorum" },
] as const)("N=5 without $gone: all partitions are $state", ({ n, gone, state }) => {
  expect(partitionHealth(document(n), without(...gone)).get(state)).toBe(ALL);
});

test("N=3 of five: a partition counts by its own replicas", () => {
  const { layout } = FIVE;
  const lacking = { ok: 0, degraded: 0, "no-quorum": 0 };
  for (let partition = 0; partition < ALL; partition++) {
    const list: readonly string[] = layout.preferenceList(partition, 3);
    const gone = list.filter((node) => ["n1", "n2"].includes(node)).length;
    lacking[(["ok", "degraded", "no-quorum"] as const)[gone] ?? "ok"] += 1;
  }
  expect(Object.fromEntries(partitionHealth(document(3), without("n1", "n2")))).toEqual(lacking);
  expect(Math.min(...Object.values(lacking))).toBeGreaterThan(0);
});

test("the bucket that is worst off decides: N=1 has no quorum where N=5 is degraded", () => {
  const health = partitionHealth(document(5, 1), without("n1"));
  const first = Array.from({ length: ALL }, (_, p) => FIVE.layout.preferenceList(p, 1)[0]);
  const lost = first.filter((node) => (node as string) === "n1").length;
  expect([health.get("no-quorum"), health.get("degraded")]).toEqual([lost, ALL - lost]);
});

test("a replica may lack one partition and hold the others", () => {
  const health = partitionHealth(document(5), (node, partition) =>
    (node as string) === "n1" ? partition !== 7 : true,
  );
  expect([health.get("ok"), health.get("degraded")]).toEqual([ALL - 1, 1]);
});
