import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AssertionError } from "../../../../src/core/assert.ts";
import { parseNodeId, parseZone } from "../../../../src/core/ids.ts";
import { Layout, sameEpoch } from "../../../../src/core/layout/layout.ts";
import type { Member } from "../../../../src/core/layout/layout.ts";
import { charOf, members } from "../support/arbitraries.ts";
import { forAll } from "../support/for-all.ts";

const THREE = members(3);
const ZONED = members(4, (index) => (index < 2 ? "a" : "b"));

function layoutOf(of: readonly Member[], number = 1): Layout {
  return new Layout({ number, members: of });
}

const someMembers = fc
  .tuple(fc.integer({ min: 1, max: 8 }), fc.constantFrom(undefined, 2, 3))
  .map(([n, zones]) => members(n, (i) => (zones === undefined ? undefined : `z${i % zones}`)));

describe("a layout", () => {
  test("is the same for every order of the peer list", () => {
    const shuffled = someMembers.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray([...list], { minLength: list.length })),
    );
    forAll(
      [shuffled],
      ([list, other]) => {
        const [a, b] = [layoutOf(list), layoutOf(other)];
        expect(b.epoch).toEqual(a.epoch);
        expect(b.members).toEqual(a.members);
        for (let partition = 0; partition < a.partitionCount; partition++) {
          const n = list.length;
          expect(b.preferenceList(partition, n)).toEqual(a.preferenceList(partition, n));
        }
      },
      40,
    );
  });

  test("lists its members by id and leaves the given list as it was", () => {
    const given = [...members(12)].reverse();
    const before = [...given];
    const ids = layoutOf(given).members.map(({ id }) => id);
    expect(ids).toEqual(ids.toSorted());
    expect(given).toEqual(before);
  });
});

describe("a preference list", () => {
  test("of n is the first n of the order of all members, without a repeat, for n = 1..members", () => {
    forAll(
      [someMembers, fc.nat(255)],
      (list, partition) => {
        const layout = layoutOf(list);
        const all = layout.preferenceList(partition, list.length);
        expect(all.toSorted()).toEqual(list.map(({ id }) => id).toSorted());
        for (let n = 1; n <= list.length; n++) {
          expect(layout.preferenceList(partition, n)).toEqual(all.slice(0, n));
        }
      },
      40,
    );
  });

  test("asked for twice is one object: it is handed out, not built, for each request", () => {
    const layout = layoutOf(THREE);
    expect(layout.preferenceList(7, 2)).toBe(layout.preferenceList(7, 2));
  });

  test("of 0 replicas, of more than there are members, or of partition 256 is a bug", () => {
    const layout = layoutOf(THREE);
    for (const n of [0, -1, 4, Number.NaN]) {
      expect(() => layout.preferenceList(0, n)).toThrow(AssertionError);
    }
    for (const partition of [-1, 256, 0.5]) {
      expect(() => layout.preferenceList(partition, 3)).toThrow(AssertionError);
    }
    expect(layout.preferenceList(255, 3)).toHaveLength(3);
  });
});

describe("an epoch", () => {
  // Computed by another implementation. A node that computes another hash is refused by its peers.
  test.each([
    ["n1, n2, n3", THREE, 0x16d9f090],
    ["n1 and n2 in zone a, n3 and n4 in zone b", ZONED, 0x638a919d],
    ["n1 to n5", members(5), 0x5a6e3603],
  ])("of %s keeps its hash for ever", (_, list, hash) => {
    expect(layoutOf(list).epoch).toEqual({ number: 1, hash });
  });

  test("has another hash after any change of an id, of a zone, or of who is a member", () => {
    const renamed = THREE.with(1, { ...(THREE[1] as Member), id: parseNodeId("n9") });
    const rezoned = (zone: string): readonly Member[] =>
      ZONED.map((member, i) => (i === 1 ? { ...member, zone: parseZone(zone) } : member));
    const zoneless = THREE.map((member) => ({ ...member, zone: parseZone("a") }));
    const lists = [
      THREE,
      renamed,
      zoneless,
      members(2),
      members(4),
      members(5),
      ZONED,
      rezoned("b"),
      rezoned("c"),
      rezoned("A"),
      members(4, (index) => (index < 2 ? "b" : "a")),
      members(4, () => "a"),
    ];
    expect(new Set(lists.map((list) => layoutOf(list).epoch.hash)).size).toBe(lists.length);
  });

  test("has another hash after a random change of one id or one zone", () => {
    const name = fc.string({ unit: charOf("abc123"), minLength: 1, maxLength: 3 });
    const change = fc.record({ member: fc.nat(3), name, field: fc.constantFrom("id", "zone") });
    forAll(
      [change],
      ({ member, name: text, field }) => {
        const changed = ZONED.map((it, index) => {
          if (index !== member) return it;
          return field === "id"
            ? { ...it, id: parseNodeId(text) }
            : { ...it, zone: parseZone(text) };
        });
        const [it, was] = [changed[member], ZONED[member]];
        fc.pre(it?.id !== was?.id || it?.zone !== was?.zone);
        expect(layoutOf(changed).epoch.hash).not.toBe(layoutOf(ZONED).epoch.hash);
      },
      60,
    );
  });

  test("does not depend on addresses: a node that moves to another machine keeps its data", () => {
    const moved = THREE.map((member) => ({ ...member, address: { host: "elsewhere", port: 1 } }));
    expect(layoutOf(moved).epoch).toEqual(layoutOf(THREE).epoch);
  });

  test("is the same only when number and hash are", () => {
    const { epoch } = layoutOf(THREE);
    expect(sameEpoch(epoch, { ...epoch })).toBe(true);
    expect(sameEpoch(epoch, { ...epoch, number: 2 })).toBe(false);
    expect(sameEpoch(epoch, { ...epoch, hash: epoch.hash ^ 1 })).toBe(false);
  });
});
