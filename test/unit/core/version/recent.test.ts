import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concatBytes, hex } from "../../../../src/core/bytes.ts";
import { stampOfMs } from "../../../../src/core/hlc.ts";
import type { Stamp } from "../../../../src/core/hlc.ts";
import { parseWriteId } from "../../../../src/core/ids.ts";
import {
  findRecent,
  mergeRecent,
  RECENT_ENTRY_BYTES,
  RECENT_MAX,
  RECENT_MS,
  recentOf,
} from "../../../../src/core/version/recent.ts";
import type { Recent } from "../../../../src/core/version/recent.ts";
import { writeIdentity } from "../../../../src/core/version/write-identity.ts";
import { forAll } from "../support/for-all.ts";

interface Entry {
  readonly stamp: number;
  readonly id: string;
  readonly ttlSeconds: number | undefined;
}

/** Stamps on both sides of the window, close together and far apart. */
const entry: fc.Arbitrary<Entry> = fc.record({
  stamp: fc.oneof(fc.nat(3), fc.integer({ min: 0, max: 2 * RECENT_MS })).map(stampOfMs),
  id: fc.constantFrom("a", "b", "c", "d"),
  ttlSeconds: fc.constantFrom(undefined, 1),
});

function encoded({ stamp, id, ttlSeconds }: Entry): Recent {
  const identity = writeIdentity({ writeId: parseWriteId(id), content: undefined, ttlSeconds });
  return recentOf(stamp as Stamp, identity);
}

const list: fc.Arbitrary<Recent> = fc
  .array(entry, { minLength: 1, maxLength: 30, size: "max" })
  .map((entries) => entries.map(encoded).reduce(mergeRecent));

/** By definition: each entry once, newest first, at most 16, none older than ten minutes. */
function naive(...lists: readonly Recent[]): string {
  const all = lists.flatMap((recent) => hex(recent).match(/.{40}/g) ?? []);
  const sorted = [...new Set(all)].toSorted().toReversed().slice(0, 16);
  const stamps = sorted.map((it) => Number.parseInt(it.slice(0, 16), 16));
  return sorted.filter((_, i) => (stamps[i] ?? 0) >= (stamps[0] ?? 0) - 600_000 * 2_048).join("");
}

describe("recent writes", () => {
  test("of two records are those of either, trimmed by what they are and nothing else", () => {
    forAll([list, list], (a, b) => expect(hex(mergeRecent(a, b))).toBe(naive(a, b)), 1_000);
  });

  test("merge commutatively, associatively and idempotently", () => {
    forAll(
      [list, list, list],
      (a, b, c) => {
        expect(hex(mergeRecent(a, b))).toBe(hex(mergeRecent(b, a)));
        const left = mergeRecent(mergeRecent(a, b), c);
        expect(hex(left)).toBe(hex(mergeRecent(a, mergeRecent(b, c))));
        for (const again of [a, b, c]) expect(mergeRecent(left, again)).toBe(left);
      },
      1_000,
    );
  });

  test("that are there already change nothing, by identity", () => {
    forAll([list], (a) => {
      expect(mergeRecent(a, Uint8Array.from(a))).toBe(a);
      expect(mergeRecent(a, Uint8Array.of())).toBe(a);
      expect(mergeRecent(Uint8Array.of(), a)).toBe(a);
    });
  });

  test("are found by their id, the newest of several", () => {
    forAll([fc.array(entry, { minLength: 1, maxLength: 6 }), entry], (entries, sought) => {
      const recent = entries.map(encoded).reduce(mergeRecent);
      const kept = entries.filter((it) => hex(recent).includes(hex(encoded(it))));
      const same = kept.filter(({ id }) => id === sought.id);
      const newest = Math.max(-1, ...same.map(({ stamp }) => stamp));
      const { idHash } = writeIdentity({
        writeId: parseWriteId(sought.id),
        content: undefined,
        ttlSeconds: undefined,
      });
      expect(findRecent(recent, idHash)?.stamp ?? -1).toBe(newest);
    });
  });

  test("fill at most 16 entries of 20 bytes", () => {
    const many = Array.from({ length: 40 }, (_, i) =>
      encoded({ stamp: stampOfMs(i), id: `id-${i}`, ttlSeconds: undefined }),
    );
    const merged = many.reduce(mergeRecent);
    expect(merged.byteLength).toBe(RECENT_MAX * RECENT_ENTRY_BYTES);
    expect(hex(merged)).toBe(hex(concatBytes(many.toReversed().slice(0, 16))));
  });
});

describe("what a write is known by", () => {
  const content = {
    value: Uint8Array.of(1, 2),
    contentType: "text/plain",
    contentEncoding: undefined,
  };
  const base = { writeId: parseWriteId("w"), content, ttlSeconds: undefined };
  test.each([
    ["another value", { content: { ...content, value: Uint8Array.of(1, 3) } }],
    ["another content type", { content: { ...content, contentType: "text/html" } }],
    ["no content type", { content: { ...content, contentType: undefined } }],
    ["a content encoding", { content: { ...content, contentEncoding: "gzip" } }],
    [
      "the type as encoding",
      { content: { ...content, contentType: undefined, contentEncoding: "text/plain" } },
    ],
    ["a time to live", { ttlSeconds: 60 }],
    ["a delete", { content: undefined }],
  ])("differs in content by %s, and not in id", (_, change) => {
    const [one, other] = [writeIdentity(base), writeIdentity({ ...base, ...change })];
    expect(other.contentHash).not.toBe(one.contentHash);
    expect(other.idHash).toBe(one.idHash);
  });

  test("differs in id by the id alone", () => {
    const [one, other] = [
      writeIdentity(base),
      writeIdentity({ ...base, writeId: parseWriteId("W") }),
    ];
    expect(other.idHash).not.toBe(one.idHash);
    expect(other.contentHash).toBe(one.contentHash);
  });
});
