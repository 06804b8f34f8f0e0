import { expect, test } from "vitest";
import { utf8 } from "../../../../src/core/bytes.ts";
import { parseBucketName, parseKey } from "../../../../src/core/ids.ts";
import { PARTITION_COUNT, partitionOf } from "../../../../src/core/layout/partition.ts";
import { partitionOfRecordKey, recordKey } from "../../../../src/core/record-key.ts";

test("256 partitions cut the 32-bit hash space into equal slices, in order", () => {
  expect(PARTITION_COUNT).toBe(256);
  for (let partition = 0; partition < 256; partition++) {
    expect(partitionOf(partition * 2 ** 24)).toBe(partition);
    expect(partitionOf((partition + 1) * 2 ** 24 - 1)).toBe(partition);
  }
});

test("65,536 numbered keys fill each partition with 256 of them, give or take 6 deviations", () => {
  const bucket = parseBucketName("default");
  const counts = Array.from({ length: 256 }, () => 0);
  for (let i = 0; i < 65_536; i++) {
    const partition = partitionOfRecordKey(recordKey(bucket, parseKey(utf8(`user/${i}`))));
    counts[partition] = (counts[partition] ?? 0) + 1;
  }
  const deviation = Math.sqrt(256);
  for (const count of counts) expect(Math.abs(count - 256)).toBeLessThan(6 * deviation);
});
