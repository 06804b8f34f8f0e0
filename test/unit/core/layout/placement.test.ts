import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AssertionError } from "../../../../src/core/assert.ts";
import { utf8 } from "../../../../src/core/bytes.ts";
import { hash32 } from "../../../../src/core/hash.ts";
import { parseNodeId, parseZone } from "../../../../src/core/ids.ts";
import type { NodeId, Zone } from "../../../../src/core/ids.ts";
import { placeMembers } from "../../../../src/core/layout/placement.ts";
import { charOf, members as named } from "../support/arbitraries.ts";
import { forAll } from "../support/for-all.ts";

interface Placeable {
  readonly id: NodeId;
  readonly zone: Zone | undefined;
}
type Orders = readonly (readonly string[])[];

/** The orders by id, of members sorted by id as a layout sorts them. */
function orders(members: readonly Placeable[]): Orders {
  const sorted = members.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return placeMembers(sorted).map((order) => order.map((index) => sorted[index]?.id ?? "?"));
}

/** Position by position, partition by partition: the best member by the documented ranking. */
function naiveOrders(members: readonly Placeable[]): Orders {
  const result: Placeable[][] = Array.from({ length: 256 }, () => []);
  for (let position = 1; position <= members.length; position++) {
    for (const [partition, order] of result.entries()) {
      const rank = (it: Placeable): string => {
        const zoneUses = order.filter(({ zone }) => zone === it.zone).length;
        const load = result.flat().filter(({ id }) => id === it.id).length;
        const over = Math.max(0, load + 1 - Math.ceil((256 * position) / members.length));
        const score = 2 ** 32 - hash32(utf8(`${partition}/${it.id}`));
        const columns = [zoneUses, over, score].map((n) => String(n).padStart(10, "0"));
        return `${columns.join()},${it.id}`;
      };
      const free = members.filter((it) => !order.includes(it));
      const best = free.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1))[0];
      if (best !== undefined) order.push(best);
    }
  }
  return result.map((order) => order.map(({ id }) => id));
}

function loads(of: Orders, n: number): ReadonlyMap<string, number> {
  const counts = new Map((of[0] ?? []).map((id) => [id, 0]));
  for (const id of of.flatMap((order) => order.slice(0, n))) {
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}

/** max − min over the members of how many partitions they hold among the first n. */
function imbalance(of: Orders, n: number): number {
  const counts = [...loads(of, n).values()];
  return Math.max(...counts) - Math.min(...counts);
}

/** Copies that a change brings to members that did not hold the partition. */
function moved(before: Orders, after: Orders, n: number): number {
  const gained = (order: readonly string[], partition: number): number => {
    const held = before[partition]?.slice(0, n) ?? [];
    return order.slice(0, n).filter((id) => !held.includes(id)).length;
  };
  return after.reduce((sum, order, partition) => sum + gained(order, partition), 0);
}

const nodeId = fc
  .string({
    unit: charOf("abcdefghijklmnopqrstuvwxyz0123456789"),
    minLength: 1,
    maxLength: 12,
  })
  .map(parseNodeId);

function membersOf(
  count: { min: number; max: number },
  zones: readonly (string | undefined)[],
): fc.Arbitrary<readonly Placeable[]> {
  const zone = fc.constantFrom(...zones).map((it) => (it === undefined ? it : parseZone(it)));
  return fc.uniqueArray(fc.record({ id: nodeId, zone }), {
    minLength: count.min,
    maxLength: count.max,
    size: "max",
    selector: ({ id }) => id,
  });
}

const unzoned = (min: number, max = min): fc.Arbitrary<readonly Placeable[]> =>
  membersOf({ min, max }, [undefined]);
const zoned = membersOf({ min: 1, max: 12 }, ["a", "b", "c", "d", undefined]);

describe("placement", () => {
  test("each of the 256 orders is a permutation of the members", () => {
    forAll(
      [zoned],
      (members) => {
        const placed = placeMembers(members);
        expect(placed).toHaveLength(256);
        const all = members.map((_, index) => index).join();
        expect(placed.every((order) => order.toSorted((a, b) => a - b).join() === all)).toBe(true);
      },
      30,
    );
  });

  test("agrees with a naive ranking of every free member for every place", () => {
    forAll(
      [membersOf({ min: 1, max: 4 }, ["a", "b", undefined])],
      (members) => expect(orders(members)).toEqual(naiveOrders(members)),
      8,
    );
  });

  test("needs a member", () => {
    expect(() => placeMembers([])).toThrow(AssertionError);
  });

  test("the first min(Z, n) replicas of every partition lie in distinct zones", () => {
    forAll(
      [zoned],
      (members) => {
        const zoneCount = new Set(members.map(({ zone }) => zone)).size;
        const zonesSeen = placeMembers(members).map(
          (order) => new Set(order.slice(0, zoneCount).map((index) => members[index]?.zone)).size,
        );
        expect(Math.min(...zonesSeen)).toBe(zoneCount);
      },
      30,
    );
  });

  test("no zone gets another replica of a partition before each zone with members left has as many", () => {
    forAll(
      [zoned],
      (members) => {
        const unfair = placeMembers(members).filter((order) => {
          const zones = order.map((index) => members[index]?.zone);
          const uses = (zone: Zone | undefined, n: number): number =>
            zones.slice(0, n).filter((it) => it === zone).length;
          return zones.some((zone, n) =>
            zones.slice(n).some((left) => uses(left, n) < uses(zone, n)),
          );
        });
        expect(unfair).toEqual([]);
      },
      10,
    );
  });
});

/**
 * Measured over 26,400 random name sets: at n=1 at most 8, which the shares prove (12 members of 22
 * partitions at most); at n=2 median 0 to 5, 1% above 19, largest 30 (3 members); at n=3 median 0 to
 * 6, 1% above 19, largest 26 (4 members). From 6 members on 18 and 19 were the largest.
 */
describe("balance of 3 to 12 members without zones, as max − min of partitions held", () => {
  test("is at most 8 at n=1, and 48 at n=2 and n=3, whatever the names", () => {
    forAll(
      [unzoned(3, 12)],
      (members) => {
        const of = orders(members);
        expect(imbalance(of, 1)).toBeLessThanOrEqual(8);
        expect(imbalance(of, 2)).toBeLessThanOrEqual(48);
        expect(imbalance(of, 3)).toBeLessThanOrEqual(48);
      },
      40,
    );
  });

  test("is at most 12 at n=1, 2, 3 for members named n1, n2, …", () => {
    for (let m = 3; m <= 12; m++) {
      const of = orders(named(m));
      for (const n of [1, 2, 3]) expect(imbalance(of, n)).toBeLessThanOrEqual(12);
    }
  });

  test("is as small for 3 zones of 1, 2, 3 or 4 members each", () => {
    for (const size of [1, 2, 3, 4]) {
      const of = orders(named(3 * size, (i) => `z${i % 3}`));
      for (const n of [1, 2, 3]) {
        expect(imbalance(of, n)).toBeLessThanOrEqual(12);
      }
    }
  });
});

/**
 * The ideal is that only the newcomer gains copies: 256·n/(m+1). Measured over 400 random name sets
 * for each m, as multiples of it: n=1 up to 1.80, n=2 up to 1.69, n=3 1.03 (m=3) to 1.59 (m=10).
 */
describe("movement when one member joins 3 to 11, or leaves again", () => {
  const joined = fc.integer({ min: 3, max: 11 }).chain((m) =>
    fc.tuple(unzoned(m + 1), fc.nat(m)).map(([after, newcomer]) => ({
      before: after.filter((_, index) => index !== newcomer),
      after,
    })),
  );

  test("is at most 2.5, 2.2 and 2 times the ideal share at n=1, 2, 3", () => {
    forAll(
      [joined],
      ({ before, after }) => {
        const [old, grown] = [orders(before), orders(after)];
        for (const [n, bound] of [
          [1, 2.5],
          [2, 2.2],
          [3, 2],
        ] as const) {
          const ideal = (256 * n) / after.length;
          expect(moved(old, grown, n)).toBeLessThanOrEqual(bound * ideal);
          expect(moved(grown, old, n)).toBeLessThanOrEqual(bound * ideal);
        }
      },
      30,
    );
  });

  test("n4 joins n1, n2, n3: at n=3 192 copies must move and at most 10 more do", () => {
    const copies = moved(orders(named(3)), orders(named(4)), 3);
    expect(copies).toBeGreaterThanOrEqual(180);
    expect(copies).toBeLessThanOrEqual(202);
  });
});
