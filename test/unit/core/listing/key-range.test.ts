import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareBytes, EMPTY_BYTES, utf8 } from "../../../../src/core/bytes.ts";
import { parseBucketName, parseKey } from "../../../../src/core/ids.ts";
import type { Key } from "../../../../src/core/ids.ts";
import { boundsIn, isWithin } from "../../../../src/core/listing/key-range.ts";
import {
  keyOfRecordKey,
  partitionOfRecordKey,
  recordKey,
  recordKeyIn,
} from "../../../../src/core/record-key.ts";
import { bucketName, key } from "../support/arbitraries.ts";
import { forAll } from "../support/for-all.ts";

/** Bytes around which order is easily got wrong. */
const edgy = (bounds: { min: number; max: number }): fc.Arbitrary<Uint8Array> =>
  fc
    .array(fc.constantFrom(0x00, 0x01, 0x61, 0xfe, 0xff), {
      minLength: bounds.min,
      maxLength: bounds.max,
    })
    .map((bytes) => Uint8Array.from(bytes));
const longKey = edgy({ min: 1, max: 4 }).map((bytes) => {
  const long = new Uint8Array(1024).fill(0xff);
  long.set(bytes);
  return parseKey(long);
});
const keys = fc.oneof(edgy({ min: 1, max: 4 }).map(parseKey), longKey);

function isBetween(address: Uint8Array, bounds: ReturnType<typeof boundsIn>): boolean {
  return compareBytes(address, bounds.after) > 0 && compareBytes(address, bounds.before) < 0;
}

describe("the bounds of a range of keys in a partition", () => {
  test("hold exactly the keys of the bucket that begin with the prefix and come after the last one", () => {
    const cases = [keys, edgy({ min: 0, max: 3 }), fc.option(keys, { nil: undefined })] as const;
    forAll<[Key, Uint8Array, Key | undefined]>(
      [...cases],
      (some, prefix, last) => {
        const bucket = parseBucketName("b");
        const after =
          last !== undefined && isWithin({ bucket, prefix, after: undefined }, last)
            ? last
            : undefined;
        const bounds = boundsIn({ bucket, prefix, after }, 7);
        const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
        const expected =
          text(some).startsWith(text(prefix)) && (after === undefined || text(some) > text(after));
        expect(isWithin({ bucket, prefix, after }, some)).toBe(expected);
        expect(isBetween(recordKeyIn(7, bucket, some), bounds)).toBe(expected);
      },
      2_000,
    );
  });

  test("hold nothing of another bucket or partition, be its name ever so similar", () => {
    forAll([bucketName, bucketName, key, fc.nat(255)], (bucket, other, some, partition) => {
      const bounds = boundsIn({ bucket, prefix: EMPTY_BYTES, after: undefined }, partition);
      expect(isBetween(recordKeyIn(partition, bucket, some), bounds)).toBe(true);
      for (const name of [other, parseBucketName(`${bucket}0`.slice(0, 63))]) {
        if (name === bucket) continue;
        expect(isBetween(recordKeyIn(partition, name, some), bounds)).toBe(false);
      }
      const elsewhere = recordKeyIn((partition + 1) % 256, bucket, some);
      expect(isBetween(elsewhere, bounds)).toBe(false);
    });
  });

  test("are made of addresses as records have them", () => {
    forAll([bucketName, key], (bucket, some) => {
      const address = recordKey(bucket, some);
      const made = recordKeyIn(partitionOfRecordKey(address), bucket, some);
      expect(Buffer.from(made)).toEqual(Buffer.from(address));
      expect(Buffer.from(keyOfRecordKey(address))).toEqual(Buffer.from(some));
    });
    expect(keyOfRecordKey(recordKey(parseBucketName("b"), parseKey(utf8("a\0b"))))).toEqual(
      Buffer.from("a\0b"),
    );
  });
});
