import { compareBytes, concatBytes, copyBytes, equalBytes } from "../bytes.ts";
import { KEY_BYTES_MAX } from "../ids.ts";
import type { BucketName, Key } from "../ids.ts";
import { recordKeyIn } from "../record-key.ts";

/** Keys of one bucket, in byte order. */
export interface KeyRange {
  readonly bucket: BucketName;
  /** What they begin with; empty: all of them. */
  readonly prefix: Uint8Array;
  /** They are above this one, which begins with the prefix too; undefined: from the first on. */
  readonly after: Key | undefined;
}

export function isWithin({ prefix, after }: KeyRange, key: Key): boolean {
  return beginsWith(key, prefix) && (after === undefined || compareBytes(key, after) > 0);
}

export function beginsWith(key: Uint8Array, prefix: Uint8Array): boolean {
  return equalBytes(key.subarray(0, prefix.byteLength), prefix);
}

/** Where the range lies in a partition; both addresses are left out. */
export function boundsIn(
  { bucket, prefix, after }: KeyRange,
  partition: number,
): { readonly after: Uint8Array; readonly before: Uint8Array } {
  const begin = recordKeyIn(partition, bucket, prefix);
  return {
    after:
      after === undefined
        ? justBelow(begin, prefix.byteLength)
        : recordKeyIn(partition, bucket, after),
    before: justAbove(begin),
  };
}

/**
 * Below `begin` and above every address below it. No key is empty, so a bucket's own beginning is
 * none. Between x and x 00 there is nothing; below x c everything is below x (c-1) ff ff …, once
 * that is longer than any key.
 */
function justBelow(begin: Uint8Array, prefixBytes: number): Uint8Array {
  if (prefixBytes === 0) return begin;
  const head = begin.subarray(0, -1);
  const last = begin.at(-1) ?? 0;
  if (last === 0) return head;
  return concatBytes([head, Uint8Array.of(last - 1), new Uint8Array(KEY_BYTES_MAX).fill(0xff)]);
}

/** Above all that begin so, and below whatever comes after them. */
function justAbove(begin: Uint8Array): Uint8Array {
  let length = begin.byteLength;
  // Ends at the 00 behind the bucket at the latest.
  while (begin[length - 1] === 0xff) length -= 1;
  const above = copyBytes(begin.subarray(0, length));
  above[length - 1] = (above[length - 1] ?? 0) + 1;
  return above;
}
