import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareBytes, equalBytes, hex, utf8 } from "../../../../src/core/bytes.ts";
import type { Stamp } from "../../../../src/core/hlc.ts";
import { parseActorId, parseBucketName, parseKey, parseWriteId } from "../../../../src/core/ids.ts";
import { recordKey } from "../../../../src/core/record-key.ts";
import { lww } from "../../../../src/core/version/lww.ts";
import { mergeModel } from "../../../../src/core/version/merge.ts";
import { decodeRecord } from "../../../../src/core/version/record.ts";
import type { LwwRecord } from "../../../../src/core/version/record.ts";
import { collidingVersion, minted, version } from "../support/arbitraries.ts";
import { forAll } from "../support/for-all.ts";

const KEY = recordKey(parseBucketName("default"), parseKey(utf8("k")));

const record: fc.Arbitrary<LwwRecord> = fc
  .oneof({ weight: 9, arbitrary: collidingVersion }, { weight: 1, arbitrary: version })
  .map((of) => minted(KEY, of));
/** Records that have merged something already. */
const mixed = fc
  .array(record, { minLength: 1, maxLength: 3 })
  .map((list) => list.reduce((all, next) => merge(all, next)));
const maybeRecord = fc.option(record, { nil: undefined, freq: 5 });

function merge(a: LwwRecord | undefined, b: LwwRecord): LwwRecord {
  const both = lww.merge(KEY, a, b);
  if (both.mode !== "lww") throw new Error("an lww record");
  return both;
}

/** (stamp, tombstone over value, actor, write id, and of equal ones the rest), as one sort key. */
function naiveSortKey({ version: of }: LwwRecord): string {
  const { content, expiresAt } = of;
  return [
    String(of.stamp).padStart(16, "0"),
    content === undefined ? "tombstone" : "a value",
    of.actor,
    hex(utf8(of.writeId)).padEnd(128, "0"),
    String(expiresAt ?? "never").padStart(16, "0"),
    hex(content?.value ?? utf8("")),
    content && JSON.stringify([content.contentType, content.contentEncoding]),
  ].join(" ");
}

/** The entries of both, newest first, each once. */
function naiveRecent(a: LwwRecord, b: LwwRecord): string {
  const entries = [a, b].flatMap(({ recent }) => hex(recent).match(/.{40}/g) ?? []);
  const sorted = [...new Set(entries)].toSorted().toReversed();
  const stampOf = (entry: string): number => Number.parseInt(entry.slice(0, 16), 16);
  const tenMinutes = 10 * 60 * 1_000 * 2_048;
  const oldest = stampOf(sorted[0] ?? "") - tenMinutes;
  return sorted
    .slice(0, 16)
    .filter((entry) => stampOf(entry) >= oldest)
    .join("");
}

function naiveOrder(a: LwwRecord, b: LwwRecord): number {
  const [x, y] = [naiveSortKey(a), naiveSortKey(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

function merged(records: readonly LwwRecord[]): LwwRecord | undefined {
  return records.reduce<LwwRecord | undefined>((all, next) => merge(all, next), undefined);
}

describe("merge", () => {
  test("is commutative", () => {
    forAll(
      [record, record],
      (a, b) =>
        expect(equalBytes(lww.merge(KEY, a, b).bytes, lww.merge(KEY, b, a).bytes)).toBe(true),
      1_000,
    );
  });

  test("is associative", () => {
    forAll(
      [record, record, record],
      (a, b, c) => {
        const left = lww.merge(KEY, lww.merge(KEY, a, b), c);
        const right = lww.merge(KEY, a, lww.merge(KEY, b, c));
        expect(equalBytes(left.bytes, right.bytes)).toBe(true);
      },
      1_000,
    );
  });

  test("is idempotent: what is stored already changes nothing, by identity", () => {
    forAll(
      [record, record],
      (a, b) => {
        const once = lww.merge(KEY, a, b);
        for (const again of [a, b, once]) expect(lww.merge(KEY, once, again)).toBe(once);
        const copy = decodeRecord(KEY, Uint8Array.from(a.bytes));
        expect(copy.kind === "record" && lww.merge(KEY, a, copy)).toBe(a);
      },
      1_000,
    );
  });

  test("keeps the only record there is, by identity", () => {
    forAll([record], (it) => expect(lww.merge(KEY, undefined, it)).toBe(it));
  });

  test("keeps the version that is greater by (stamp, tombstone over value, actor, write id), and the recent writes of both", () => {
    forAll(
      [mixed, mixed],
      (a, b) => {
        const result = merge(a, b);
        const order = naiveOrder(a, b);
        expect(naiveSortKey(result)).toBe(naiveSortKey(order >= 0 ? a : b));
        expect(hex(result.recent)).toBe(naiveRecent(a, b));
        const [winner] = order >= 0 ? [a] : [b];
        expect(result === winner).toBe(hex(winner.recent) === naiveRecent(a, b));
        const decoded = decodeRecord(KEY, result.bytes);
        expect(decoded.kind === "record" && hex(decoded.recent)).toBe(hex(result.recent));
      },
      2_000,
    );
  });

  test("of any permutation and duplication of a set of records has the same bytes", () => {
    const set = fc.array(record, { minLength: 1, maxLength: 8 });
    const shuffled = set.chain((list) =>
      fc.tuple(
        fc.constant(list),
        fc.shuffledSubarray(list, { minLength: list.length }),
        fc.array(fc.nat(list.length - 1), { maxLength: 6 }),
      ),
    );
    forAll(
      [shuffled],
      ([list, order, repeats]) => {
        const again = [...order, ...repeats.flatMap((i) => list.slice(i, i + 1)), ...order];
        const result = merged(list);
        expect(hex(merged(again)?.bytes ?? utf8(""))).toBe(hex(result?.bytes ?? utf8("")));
        expect(list.every((it) => naiveOrder(it, result ?? it) <= 0)).toBe(true);
      },
      1_000,
    );
  });

  test("replicas that exchange records pairwise in any order end with equal bytes", () => {
    const gossip = fc.record({
      first: fc.tuple(maybeRecord, maybeRecord, maybeRecord),
      exchanges: fc.array(fc.tuple(fc.nat(2), fc.nat(2)), { maxLength: 12 }),
    });
    forAll(
      [gossip],
      ({ first, exchanges }) => {
        const replicas = [...first];
        const send = (from: number, to: number): void => {
          const sent = replicas[from];
          if (sent !== undefined) replicas[to] = merge(replicas[to], sent);
        };
        for (const [from, to] of exchanges) send(from, to);
        for (const [from, to] of [
          [0, 1],
          [1, 2],
          [2, 0],
          [2, 1],
        ] as const)
          send(from, to);
        const [a, b, c] = replicas;
        expect(lww.equal(a, b) && lww.equal(b, c)).toBe(true);
        expect(a?.bytes).toEqual(b?.bytes);
        expect(b?.bytes).toEqual(c?.bytes);
      },
      500,
    );
  });
});

describe("the documented order, field by field", () => {
  const of = (fields: {
    stamp?: number;
    dead?: boolean;
    actor?: string;
    writeId?: string;
    value?: number;
  }): LwwRecord =>
    minted(KEY, {
      expiresAt: undefined,
      stamp: (fields.stamp ?? 5) as Stamp,
      actor: parseActorId((fields.actor ?? "5").repeat(24)),
      writeId: parseWriteId(fields.writeId ?? "m"),
      content:
        fields.dead === true
          ? undefined
          : {
              value: Uint8Array.of(fields.value ?? 5),
              contentType: undefined,
              contentEncoding: undefined,
            },
    });

  test.each([
    [
      "a later stamp over everything else",
      of({ stamp: 6, actor: "0", writeId: "0", value: 0 }),
      of({ dead: true, actor: "f", writeId: "z" }),
    ],
    [
      "a tombstone over a value of the same stamp",
      of({ dead: true, actor: "0", writeId: "0" }),
      of({ actor: "f", writeId: "z", value: 9 }),
    ],
    [
      "the greater actor of two values",
      of({ actor: "6", writeId: "0", value: 0 }),
      of({ writeId: "z", value: 9 }),
    ],
    [
      "the greater actor of two tombstones",
      of({ dead: true, actor: "6" }),
      of({ dead: true, writeId: "z" }),
    ],
    ["the greater write id of one dot", of({ writeId: "n", value: 0 }), of({ value: 9 })],
    ["capitals below small letters in a write id", of({ writeId: "a" }), of({ writeId: "Z" })],
    ["the greater bytes when one dot and write id have two contents", of({ value: 6 }), of({})],
  ])("%s", (_, winner, loser) => {
    for (const result of [merge(loser, winner), merge(winner, loser)]) {
      expect(naiveSortKey(result)).toBe(naiveSortKey(winner));
    }
    expect(lww.equal(winner, loser)).toBe(false);
  });
});

describe("equal and newest", () => {
  test("two absent records are equal, an absent and a present one never are", () => {
    expect(lww.equal(undefined, undefined)).toBe(true);
    forAll([record], (it) => {
      expect(lww.equal(it, undefined)).toBe(false);
      expect(lww.equal(undefined, it)).toBe(false);
    });
  });

  test("records are equal exactly when their bytes are", () => {
    forAll(
      [record, record],
      (a, b) => expect(lww.equal(a, b)).toBe(compareBytes(a.bytes, b.bytes) === 0),
      1_000,
    );
  });

  test("newest is the stamp that a later write must be above, and merge never lowers it", () => {
    forAll([record, record], (a, b) => {
      expect(lww.newest(a)).toBe(a.version.stamp);
      expect(lww.newest(lww.merge(KEY, a, b))).toBe(Math.max(lww.newest(a), lww.newest(b)));
    });
  });
});

test("buckets of mode lww merge by it", () => {
  expect(mergeModel("lww")).toBe(lww);
});
