import fc from "fast-check";
import type { PeerEntry } from "../../../../src/core/config.ts";
import type { Stamp } from "../../../../src/core/hlc.ts";
import {
  parseActorId,
  parseBucketName,
  parseKey,
  parseNodeId,
  parseWriteId,
  parseZone,
} from "../../../../src/core/ids.ts";
import type { ActorId, BucketName, Key, NodeId, WriteId } from "../../../../src/core/ids.ts";
import { recordKey } from "../../../../src/core/record-key.ts";
import type { RecordKey } from "../../../../src/core/record-key.ts";
import { recentOf } from "../../../../src/core/version/recent.ts";
import { encodeRecord } from "../../../../src/core/version/record.ts";
import type { LwwRecord } from "../../../../src/core/version/record.ts";
import type { Content, Version } from "../../../../src/core/version/version.ts";
import { writeIdentity } from "../../../../src/core/version/write-identity.ts";

/** One of the characters of `alphabet`. */
export function charOf(alphabet: string): fc.Arbitrary<string> {
  return fc.constantFrom(...alphabet.split(""));
}

function textOf(alphabet: string, bounds: { min: number; max: number }): fc.Arbitrary<string> {
  return fc.string({
    unit: charOf(alphabet),
    minLength: bounds.min,
    maxLength: bounds.max,
  });
}

const LOWER = "abcdefghijklmnopqrstuvwxyz0123456789";
const PRINTABLE = Array.from({ length: 0x7f - 0x20 }, (_, i) => String.fromCharCode(0x20 + i));

/** Bytes that do not begin at offset 0 of their buffer, as views of network chunks do not. */
export const bytes = (bounds: fc.IntArrayConstraints = {}): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(fc.uint8Array({ maxLength: 3 }), fc.uint8Array(bounds), fc.uint8Array({ maxLength: 3 }))
    .map(([before, middle, after]) =>
      Uint8Array.from([...before, ...middle, ...after]).subarray(
        before.length,
        before.length + middle.length,
      ),
    );

export const bucketName: fc.Arbitrary<BucketName> = fc
  .tuple(textOf(LOWER, { min: 1, max: 1 }), textOf(`${LOWER}._-`, { min: 0, max: 62 }))
  .map(([first, rest]) => parseBucketName(first + rest));

export const key: fc.Arbitrary<Key> = fc
  .oneof(
    { weight: 8, arbitrary: bytes({ minLength: 1, maxLength: 24 }) },
    { weight: 1, arbitrary: bytes({ minLength: 1000, maxLength: 1024, size: "max" }) },
  )
  .map(parseKey);

export const recordKeys: fc.Arbitrary<RecordKey> = fc
  .tuple(bucketName, key)
  .map(([bucket, k]) => recordKey(bucket, k));

export const stamp: fc.Arbitrary<Stamp> = fc.maxSafeNat().map((n) => n as Stamp);

const actor: fc.Arbitrary<ActorId> = textOf("0123456789abcdef", { min: 24, max: 24 }).map(
  parseActorId,
);

const writeId: fc.Arbitrary<WriteId> = textOf(`${LOWER.toUpperCase()}${LOWER}._:-`, {
  min: 1,
  max: 64,
}).map(parseWriteId);

const contentHeader: fc.Arbitrary<string | undefined> = fc.option(
  fc.oneof(
    { weight: 8, arbitrary: textOf(PRINTABLE.join(""), { min: 0, max: 20 }) },
    { weight: 1, arbitrary: textOf(PRINTABLE.join(""), { min: 255, max: 255 }) },
  ),
  { nil: undefined },
);

const content: fc.Arbitrary<Content> = fc.record({
  value: bytes({ maxLength: 40 }),
  contentType: contentHeader,
  contentEncoding: contentHeader,
});

export const version: fc.Arbitrary<Version> = fc.record({
  stamp,
  actor,
  writeId,
  content: fc.option(content, { nil: undefined, freq: 4 }),
  expiresAt: fc.option(fc.maxSafeNat(), { nil: undefined }),
});

/** Versions of one key that agree in most of what orders them. */
export const collidingVersion: fc.Arbitrary<Version> = fc.record({
  stamp: fc.constantFrom(1, 2, 2048).map((n) => n as Stamp),
  actor: fc.constantFrom("0", "1", "f").map((digit) => parseActorId(digit.repeat(24))),
  writeId: fc.constantFrom("A", "a", "b").map(parseWriteId),
  content: fc.option(
    fc.record({
      value: fc.constantFrom(Uint8Array.of(), Uint8Array.of(0), Uint8Array.of(1)),
      contentType: fc.constantFrom(undefined, "", "a"),
      contentEncoding: fc.constantFrom(undefined, "a"),
    }),
    { nil: undefined, freq: 2 },
  ),
  expiresAt: fc.constantFrom(undefined, undefined, 1, 2),
});

/** The record of a version as the coordinator that minted it makes it. */
export function minted(key: RecordKey, of: Version): LwwRecord {
  const identity = writeIdentity({ ...of, ttlSeconds: undefined });
  return encodeRecord(key, of, recentOf(of.stamp, identity));
}

export function nodeIds(n: number): readonly NodeId[] {
  return Array.from({ length: n }, (_, i) => parseNodeId(`n${i + 1}`));
}

/** Members of a layout; `zoneOf` gives each index its zone. */
export function members(
  n: number,
  zoneOf: (index: number) => string | undefined = () => undefined,
): readonly PeerEntry[] {
  return nodeIds(n).map((id, index) => {
    const zone = zoneOf(index);
    return {
      id,
      zone: zone === undefined ? undefined : parseZone(zone),
      address: { host: "127.0.0.1", port: 7180 + index },
    };
  });
}

/** Every subset of `items`, the empty one included. */
export function subsets<T>(items: readonly T[]): readonly (readonly T[])[] {
  return items.reduce<readonly (readonly T[])[]>(
    (all, item) => [...all, ...all.map((subset) => [...subset, item])],
    [[]],
  );
}

/** The numbers of all bits. */
export function bitsOf(of: Uint8Array): number[] {
  return Array.from({ length: of.byteLength * 8 }, (_, bit) => bit);
}

/** `original` with one bit changed. */
export function withBitFlipped(original: Uint8Array, bit: number): Uint8Array {
  const flipped = Uint8Array.from(original);
  flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return flipped;
}
