import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { contradicts, remember } from "../../../../src/core/resync/memory.ts";
import { forAll } from "../support/for-all.ts";

const state = fc.record({
  directoryId: fc.constantFrom("aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"),
  startEpoch: fc.nat(3),
  position: fc.nat(3),
});

describe("what is remembered of a member", () => {
  test("is at first what it announces, whatever it says of itself", () => {
    forAll([state, fc.boolean()], (directory, resynchronising) => {
      expect(remember(undefined, { directory, resynchronising })).toBe(directory);
    });
  });

  test("of one directory is the greatest of each number, in any order of announcements", () => {
    forAll([fc.array(state, { minLength: 1, maxLength: 6 })], (announced) => {
      const one = announced.map((each) => ({ ...each, directoryId: "aaaaaaaaaaaaaaaa" }));
      let known = undefined;
      for (const directory of one) known = remember(known, { directory, resynchronising: true });
      expect(known).toEqual({
        directoryId: "aaaaaaaaaaaaaaaa",
        startEpoch: Math.max(...one.map(({ startEpoch }) => startEpoch)),
        position: Math.max(...one.map(({ position }) => position)),
      });
    });
  });

  test("is held against another directory until that one lacks nothing", () => {
    forAll([state, state], (known, directory) => {
      fc.pre(known.directoryId !== directory.directoryId);
      expect(remember(known, { directory, resynchronising: true })).toBe(known);
      expect(remember(known, { directory, resynchronising: false })).toBe(directory);
    });
  });
});

describe("a memory contradicts a directory", () => {
  const own = { directoryId: "aaaaaaaaaaaaaaaa", startEpoch: 4, position: 200 };

  test.each([
    ["the same", own, false],
    ["less of it", { ...own, startEpoch: 3, position: 100 }, false],
    ["more batches, though under an earlier epoch", { ...own, startEpoch: 3, position: 201 }, true],
    ["a later epoch, though fewer batches", { ...own, startEpoch: 5, position: 0 }, true],
    ["another one", { ...own, directoryId: "bbbbbbbbbbbbbbbb", startEpoch: 1, position: 0 }, true],
    ["one that this one succeeds", { ...own, directoryId: "cccccccccccccccc" }, false],
  ])("when it is of %s: %o", (_name, remembered, expected) => {
    expect(contradicts(remembered, own, ["cccccccccccccccc"])).toBe(expected);
  });

  test("never, when the node has only gone on since it was last heard", () => {
    forAll([state, fc.nat(2), fc.nat(2)], (announced, epochs, batches) => {
      const known = remember(undefined, { directory: announced, resynchronising: false });
      const now = {
        ...announced,
        startEpoch: announced.startEpoch + epochs,
        position: announced.position + batches,
      };
      expect(contradicts(known, now, [])).toBe(false);
    });
  });
});
