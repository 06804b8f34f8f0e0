import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareBytes, hex } from "../../../../src/core/bytes.ts";
import { parseKey } from "../../../../src/core/ids.ts";
import { mergePages } from "../../../../src/core/listing/merge-pages.ts";
import type { OrderedPage } from "../../../../src/core/listing/merge-pages.ts";
import { forAll } from "../support/for-all.ts";

/** Few keys, some of which begin others, so that sequences meet in many of them. */
const keys = fc.uniqueArray(
  fc.uint8Array({ min: 0, max: 2, minLength: 1, maxLength: 3 }).map((bytes) => hex(bytes)),
  { maxLength: 12 },
);

/** A sequence and how much of it is known; one that does not end is known at least in part. */
const sequence = fc.tuple(keys, fc.nat(12)).map(([unordered, known]) => {
  const all = unordered.toSorted();
  const page = all.slice(0, Math.max(1, known));
  return { all, page, ended: page.length === all.length };
});

function pageOf(name: number, { page, ended }: { page: string[]; ended: boolean }) {
  const entries = page.map((key) => ({
    key: parseKey(Uint8Array.from(Buffer.from(key, "hex"))),
    value: `${name}:${key}`,
  }));
  return { entries, ended } satisfies OrderedPage<string>;
}

describe("pages of several ordered sequences, merged", () => {
  test("are the beginning of the union of the whole sequences, with all that any of them says of each key", () => {
    forAll([fc.array(sequence, { maxLength: 5 })], (sequences) => {
      const merged = mergePages(sequences.map((it, name) => pageOf(name, it)));
      const union = [...new Set(sequences.flatMap(({ all }) => all))].toSorted();
      const through = merged.through && hex(merged.through);
      const reached = union.filter((key) => through === undefined || key <= through);
      expect(merged.entries.map(({ key }) => hex(key))).toEqual(reached);
      for (const { key, values } of merged.entries) {
        const said = sequences.flatMap(({ all }, name) =>
          all.includes(hex(key)) ? [`${name}:${hex(key)}`] : [],
        );
        expect(values.toSorted()).toEqual(said);
      }
    });
  });

  test("reach further with each round: to the least of their last keys, or to the end of all", () => {
    forAll([fc.array(sequence, { minLength: 1, maxLength: 5 })], (sequences) => {
      const { through, entries } = mergePages(sequences.map((it, name) => pageOf(name, it)));
      const open = sequences.filter(({ ended }) => !ended).map(({ page }) => page.at(-1) ?? "");
      expect(through && hex(through)).toBe(open.toSorted()[0]);
      const last = entries.at(-1)?.key;
      expect(through && hex(through)).toBe(through && last && hex(last));
    });
  });

  test("follow byte order, in which a key comes before those that it begins", () => {
    const page = pageOf(0, { page: ["00", "0000", "00ff", "01", "ff"], ended: true });
    const { entries } = mergePages([page]);
    const inOrder = entries.map(({ key }) => key).toSorted(compareBytes);
    expect(entries.map(({ key }) => key)).toEqual(inOrder);
  });
});
