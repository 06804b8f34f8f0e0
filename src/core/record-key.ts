import { assert } from "./assert.ts";
import { allocateBytes, latin1, latin1Text } from "./bytes.ts";
import { hash32 } from "./hash.ts";
import { isBucketName, KEY_BYTES_MAX } from "./ids.ts";
import type { BucketName, Key } from "./ids.ts";
import { partitionOf } from "./layout/partition.ts";

/**
 * The address of a record, in the bytes under which LevelDB and the peer protocol know it:
 *
 *     'r' | partition, 2 bytes big-endian | bucket | 0x00 | key
 *
 * A partition is therefore one contiguous range, in it a bucket is one, and listing is in key order.
 * The bucket's alphabet has no 0x00, so no address is a prefix of another bucket's.
 */
export type RecordKey = Uint8Array & { readonly __brand: "RecordKey" };

const KIND_RECORD = 0x72;
const PARTITION_OFFSET = 1;
const BUCKET_OFFSET = 3;

export function recordKey(bucket: BucketName, key: Key): RecordKey {
  const bytes = allocateBytes(BUCKET_OFFSET + bucket.length + 1 + key.byteLength);
  bytes[0] = KIND_RECORD;
  for (let i = 0; i < bucket.length; i++) bytes[BUCKET_OFFSET + i] = bucket.charCodeAt(i);
  bytes[BUCKET_OFFSET + bucket.length] = 0;
  bytes.set(key, BUCKET_OFFSET + bucket.length + 1);
  const partition = partitionOf(hash32(bytes.subarray(BUCKET_OFFSET)));
  bytes[PARTITION_OFFSET] = partition >> 8;
  bytes[PARTITION_OFFSET + 1] = partition & 0xff;
  return bytes as RecordKey;
}

/** The address that a key of this partition has; of what begins keys, what begins their addresses. */
export function recordKeyIn(partition: number, bucket: BucketName, key: Uint8Array): Uint8Array {
  const bytes = allocateBytes(BUCKET_OFFSET + bucket.length + 1 + key.byteLength);
  bytes.set(recordKeyPrefix(partition));
  bytes.set(latin1(bucket), BUCKET_OFFSET);
  bytes[BUCKET_OFFSET + bucket.length] = 0;
  bytes.set(key, BUCKET_OFFSET + bucket.length + 1);
  return bytes;
}

/** Below every address of this partition and above those of the ones before; no address itself. */
export function recordKeyPrefix(partition: number): Uint8Array {
  return Uint8Array.of(KIND_RECORD, partition >> 8, partition & 0xff);
}

/** What logs call a key by: keys themselves are never logged. `kv key locate` tells it. */
export function keyHash(address: RecordKey): string {
  return hash32(address).toString(16).padStart(8, "0");
}

/** @returns undefined unless `bytes` is exactly what {@link recordKey} makes of its bucket and key. */
export function parseRecordKey(bytes: Uint8Array): RecordKey | undefined {
  if (bytes[0] !== KIND_RECORD) return undefined;
  const end = bytes.indexOf(0, BUCKET_OFFSET);
  if (end <= BUCKET_OFFSET) return undefined;
  const keyBytes = bytes.byteLength - 1 - end;
  if (keyBytes < 1 || keyBytes > KEY_BYTES_MAX) return undefined;
  if (!isBucketName(latin1Text(bytes.subarray(BUCKET_OFFSET, end)))) return undefined;
  const partition = partitionOf(hash32(bytes.subarray(BUCKET_OFFSET)));
  const stated = partitionOfRecordKey(bytes as RecordKey);
  return stated === partition ? (bytes as RecordKey) : undefined;
}

export function partitionOfRecordKey(address: RecordKey): number {
  return ((address[PARTITION_OFFSET] ?? 0) << 8) | (address[PARTITION_OFFSET + 1] ?? 0);
}

export function bucketOfRecordKey(address: RecordKey): BucketName {
  const end = address.indexOf(0, BUCKET_OFFSET);
  assert(end > BUCKET_OFFSET, "a record key names its bucket");
  return latin1Text(address.subarray(BUCKET_OFFSET, end)) as BucketName;
}

/** A view, not a copy. */
export function keyOfRecordKey(address: RecordKey): Key {
  const end = address.indexOf(0, BUCKET_OFFSET);
  assert(end > BUCKET_OFFSET, "a record key has a key");
  return address.subarray(end + 1) as Key;
}
