import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareBytes, hex, latin1Text, utf8 } from "../../../src/core/bytes.ts";
import { hash32 } from "../../../src/core/hash.ts";
import { parseBucketName, parseKey } from "../../../src/core/ids.ts";
import {
  bucketOfRecordKey,
  parseRecordKey,
  partitionOfRecordKey,
  recordKey,
} from "../../../src/core/record-key.ts";
import { bucketName, bytes, key, recordKeys, withBitFlipped } from "./support/arbitraries.ts";
import { forAll } from "./support/for-all.ts";

const DEFAULT = parseBucketName("default");

/** Cuts the bytes where a bucket would end and builds the address anew from the parts. */
function naiveIsRecordKey(of: Uint8Array): boolean {
  const text = latin1Text(of);
  const match = /^r[^]{2}([a-z0-9][a-z0-9._-]{0,62})\0([^]{1,1024})$/.exec(text);
  const [, bucket, rest] = match ?? [];
  if (bucket === undefined || rest === undefined) return false;
  const again = recordKey(parseBucketName(bucket), parseKey(Buffer.from(rest, "latin1")));
  return latin1Text(again) === text;
}

describe("recordKey", () => {
  test("is 'r', the partition in 2 bytes, the bucket, NUL, the key", () => {
    forAll([bucketName, key], (bucket, k) => {
      const named = [...utf8(bucket), 0, ...k];
      const partition = Math.floor(hash32(Uint8Array.from(named)) / 2 ** 24);
      const address = recordKey(bucket, k);
      expect([...address]).toEqual([0x72, 0, partition, ...named]);
      expect(partitionOfRecordKey(address)).toBe(partition);
      expect(bucketOfRecordKey(address)).toBe(bucket);
    });
  });

  // A stored key lies where this says: a change needs a new format of the directory.
  test.each([
    ["a", 116],
    ["user/42", 16],
  ])("default, %j lies in partition %i for ever", (text, partition) => {
    expect(partitionOfRecordKey(recordKey(DEFAULT, parseKey(utf8(text))))).toBe(partition);
  });

  test("two pairs of bucket and key never share an address", () => {
    const tinyBucket = fc.constantFrom("a", "a-", "a-b", "ab").map(parseBucketName);
    const tinyKey = fc
      .array(fc.constantFrom(0, 0x2d, 0x61, 0x62), { minLength: 1, maxLength: 3 })
      .map((list) => parseKey(Uint8Array.from(list)));
    forAll(
      [tinyBucket, tinyKey, tinyBucket, tinyKey],
      (b1, k1, b2, k2) => {
        const same = b1 === b2 && compareBytes(k1, k2) === 0;
        expect(compareBytes(recordKey(b1, k1), recordKey(b2, k2)) === 0).toBe(same);
      },
      2_000,
    );
  });

  test("within one partition and bucket the order of addresses is the order of keys", () => {
    const tinyKey = fc
      .array(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), { minLength: 1, maxLength: 6 })
      .map((list) => parseKey(Uint8Array.from(list)));
    const neighbours = fc.uniqueArray(tinyKey, {
      minLength: 300,
      maxLength: 400,
      size: "max",
      selector: (k) => k.join(),
    });
    let largestGroup = 0;
    forAll(
      [neighbours],
      (keys) => {
        const groups = new Map<number, Uint8Array[]>();
        for (const k of keys.toSorted(compareBytes)) {
          const address = recordKey(DEFAULT, k);
          const partition = partitionOfRecordKey(address);
          groups.set(partition, [...(groups.get(partition) ?? []), address]);
        }
        for (const group of groups.values()) {
          expect(group.map(hex)).toEqual(group.toSorted(compareBytes).map(hex));
          largestGroup = Math.max(largestGroup, group.length);
        }
      },
      20,
    );
    expect(largestGroup).toBeGreaterThan(2);
  });

  test("a partition is one contiguous range of addresses, and in it a bucket is one", () => {
    const buckets = ["a", "a-b", "b"].map(parseBucketName);
    const addresses = buckets.flatMap((bucket) =>
      Array.from({ length: 500 }, (_, i) => recordKey(bucket, parseKey(utf8(`key ${i}`)))),
    );
    const runs = addresses
      .toSorted(compareBytes)
      .map((address) => `${partitionOfRecordKey(address)} ${bucketOfRecordKey(address)}`)
      .filter((group, i, all) => group !== all[i - 1]);
    expect(new Set(runs).size).toBe(runs.length);
  });
});

describe("parseRecordKey", () => {
  test("takes what recordKey made, as it is", () => {
    forAll([recordKeys], (address) => expect(parseRecordKey(address)).toBe(address));
  });

  test("refuses all of the 65,535 wrong partitions", () => {
    const address = recordKey(DEFAULT, parseKey(utf8("a")));
    let accepted = 0;
    for (let partition = 0; partition < 65_536; partition++) {
      const moved = Uint8Array.from(address);
      moved.set([partition >> 8, partition & 0xff], 1);
      if (parseRecordKey(moved) !== undefined) accepted += 1;
    }
    expect(accepted).toBe(1);
  });

  test("refuses another kind byte", () => {
    const address = recordKey(DEFAULT, parseKey(utf8("a")));
    for (let kind = 0; kind < 256; kind++) {
      const other = Uint8Array.from([kind, ...address.subarray(1)]);
      expect(parseRecordKey(other) !== undefined).toBe(kind === 0x72);
    }
  });

  test("cut short it is refused, unless what is left addresses a shorter key", () => {
    forAll(
      [recordKeys],
      (address) => {
        for (let length = 0; length < Math.min(address.byteLength, 120); length++) {
          const cut = address.subarray(0, length);
          expect(parseRecordKey(cut) !== undefined).toBe(naiveIsRecordKey(cut));
        }
      },
      100,
    );
  });

  test("with a bit changed it is refused, unless it addresses another key of the same partition", () => {
    const address = recordKey(DEFAULT, parseKey(utf8("some/key")));
    const bucketEnds = 3 + DEFAULT.length;
    const keyBits = Array.from({ length: 8 * 8 }, (_, i) => (bucketEnds + 1) * 8 + i);
    const headBits = Array.from({ length: 3 * 8 }, (_, i) => i);
    const flips = [...headBits, ...keyBits].map((bit) => withBitFlipped(address, bit));
    expect(flips.map((it) => parseRecordKey(it) !== undefined)).toEqual(
      flips.map(naiveIsRecordKey),
    );
  });

  test("never throws on foreign bytes", () => {
    const foreign = fc.oneof(
      bytes({ maxLength: 40 }),
      bytes({ maxLength: 40 }).map((tail) => Uint8Array.from([0x72, 0, ...tail])),
    );
    forAll(
      [foreign],
      (of) => {
        expect([undefined, of]).toContain(parseRecordKey(of));
      },
      2_000,
    );
  });

  /** What `recordKey` would make if bucket and key were let in unparsed. */
  function addressed(named: readonly number[]): Uint8Array {
    return Uint8Array.from([0x72, 0, hash32(Uint8Array.from(named)) >>> 24, ...named]);
  }

  function unchecked(bucket: string, keyBytes: number): Uint8Array {
    return addressed([...utf8(bucket), 0, ...new Uint8Array(keyBytes).fill(0x61)]);
  }

  test("under the right partition it takes what has a bucket, NUL and a key, and nothing else", () => {
    const named = fc.array(fc.constantFrom(0, 0x2d, 0x41, 0x61, 0x62, 0xff), { maxLength: 6 });
    forAll(
      [named],
      (it) => {
        const address = addressed(it);
        expect(parseRecordKey(address) !== undefined).toBe(naiveIsRecordKey(address));
      },
      2_000,
    );
  });

  test("a bucket of 63 and a key of 1,024 bytes are its bounds", () => {
    expect(parseRecordKey(unchecked("b".repeat(63), 1024))).toBeDefined();
  });

  test.each([
    ["an empty bucket", unchecked("", 1)],
    ["an empty key", unchecked("b", 0)],
    ["a bucket without NUL", addressed([...utf8("bucket")])],
    ["nothing but kind and partition", addressed([])],
    ["a bucket in capitals", unchecked("Default", 1)],
    ["a bucket of 64 characters", unchecked("b".repeat(64), 1)],
    ["a key of 1,025 bytes", unchecked("b", 1025)],
  ])("refuses %s, which no client could have named", (_, address) => {
    expect(parseRecordKey(address)).toBeUndefined();
  });
});
