import { describe, expect, test } from "vitest";
import { expiry } from "../../../src/checker/expiry.ts";
import type { ClockRange } from "../../../src/checker/expiry.ts";
import { monotonicReads } from "../../../src/checker/monotonic-reads.ts";
import { regular } from "../../../src/checker/regular.ts";
import type { Operation } from "../../../src/checker/history.ts";
import { get, history, put } from "./support/operations.ts";

const RIGHT: ClockRange = { least: 0, greatest: 0 };
const AHEAD: ClockRange = { least: 0, greatest: 500 };
const BEHIND: ClockRange = { least: -500, greatest: 0 };

/** A version that expires at 1000, and gets of it. */
function verdict(clocks: readonly ClockRange[], ...gets: readonly Operation[]): string {
  const seen = history([put("a", 0, 10, { stamp: 1, expiresAt: 1_000 }), ...gets]);
  return expiry(clocks)(seen).verdict;
}

function alive(call: number, r = 2): Operation {
  return get("a", call, call + 10, { stamp: 1, expiresAt: 1_000, r });
}

function gone(call: number): Operation {
  return get("a", call, call + 10, { stamp: 1, expired: true });
}

describe("expiry: a version is absent from its expiry on, as far as clocks agree", () => {
  const three = [RIGHT, RIGHT, RIGHT];

  test("alive before and expired after is what right clocks show", () => {
    expect(verdict(three, alive(900), gone(1_000))).toBe("true");
    // The expiry is within the get.
    expect(verdict(three, gone(995), alive(995))).toBe("true");
  });

  test("expired too early", () => {
    expect(verdict(three, gone(900))).toBe("false");
    expect(verdict([RIGHT, RIGHT, AHEAD], gone(900))).toBe("true");
    expect(verdict([RIGHT, RIGHT, AHEAD], gone(400))).toBe("false");
  });

  test("alive too late", () => {
    expect(verdict(three, alive(1_100))).toBe("false");
  });

  test("one clock that is behind revives nothing at R=2, two do", () => {
    expect(verdict([BEHIND, RIGHT, RIGHT], alive(1_100))).toBe("false");
    expect(verdict([BEHIND, RIGHT, RIGHT], alive(1_100, 1))).toBe("true");
    expect(verdict([BEHIND, BEHIND, RIGHT], alive(1_100))).toBe("true");
    expect(verdict([BEHIND, BEHIND, RIGHT], alive(1_502))).toBe("false");
  });

  test("expired and then alive, though nobody was told when it expires", () => {
    const read = { stamp: 1 };
    const seen = (call: number): string =>
      expiry([BEHIND, BEHIND, RIGHT])(
        history([
          put("a", 0, 10),
          get("a", 20, 30, { ...read, expired: true }),
          get("a", call, call + 1, read),
        ]),
      ).verdict;
    expect(seen(500)).toBe("true");
    expect(seen(540)).toBe("false");
  });

  test("one version has one expiry", () => {
    const other = get("a", 20, 30, { stamp: 1, expiresAt: 1_001 });
    expect(verdict(three, alive(20), other)).toBe("false");
    // Written twice: two versions, each with its own.
    const again = put("a", 40, 50, { stamp: 2, expiresAt: 2_000 });
    expect(verdict(three, again, get("a", 1_500, 1_510, { stamp: 2, expiresAt: 2_000 }))).toBe(
      "true",
    );
  });

  test("what does not expire is no case", () => {
    const seen = history([put("a", 0, 1, { stamp: 1 }), get("a", 2, 3, { stamp: 1 })]);
    expect(expiry(three)(seen)).toMatchObject({ verdict: "true", examined: 0 });
  });
});

test("a get that found a version expired has read that version", () => {
  const [first, second] = [put("a", 0, 1, { stamp: 1 }), put("b", 2, 3, { stamp: 2 })];
  const stale = history([first, second, get("a", 4, 5, { stamp: 1, expired: true })]);
  expect(regular(stale).verdict).toBe("false");
  const back = [get("b", 4, 5, { stamp: 2, expired: true }), get("a", 6, 7, { stamp: 1 })];
  expect(monotonicReads(history([first, second, ...back])).verdict).toBe("false");
  const fresh = history([first, second, get("b", 4, 5, { stamp: 2, expired: true })]);
  expect(regular(fresh).verdict).toBe("true");
});
