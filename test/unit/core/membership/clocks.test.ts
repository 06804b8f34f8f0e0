import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { NodeId } from "../../../../src/core/ids.ts";
import { clocksAgainst } from "../../../../src/core/membership/clock-verdict.ts";
import { PeerClock } from "../../../../src/core/membership/peer-clock.ts";
import type { ClockOffset } from "../../../../src/core/membership/peer-clock.ts";
import { nodeIds } from "../support/arbitraries.ts";
import { forAll } from "../support/for-all.ts";

const WALL_MS = 1_700_000_000_000;
const LIMIT_MS = 500;

/** The own clocks at an instant of the monotonic one, the wall clock off by so much. */
const own = (now: number, offMs = 0) => ({ now, wallMs: WALL_MS + now + offMs });

describe("PeerClock", () => {
  test("the true offset is within the error of the measured one, however the flight is divided", () => {
    const flight = fc.record({
      at: fc.integer({ min: 0, max: 1_000_000 }),
      thereMs: fc.integer({ min: 0, max: 120 }),
      backMs: fc.integer({ min: 0, max: 120 }),
    });
    forAll(
      [fc.array(flight, { minLength: 1, maxLength: 9 }), fc.integer({ min: -90_000, max: 90_000 })],
      (flights, trueMs) => {
        const clock = new PeerClock();
        for (const { at, thereMs, backMs } of flights) {
          const wallMs = Math.floor(WALL_MS + at + thereMs + trueMs);
          clock.add({ sentAt: at, answeredAt: at + thereMs + backMs, wallMs });
        }
        const offset = clock.offset(own(2_000_000));
        if (offset === undefined) throw new Error("it was measured");
        expect(Math.abs(offset.offsetMs - trueMs)).toBeLessThanOrEqual(offset.errorMs);
      },
    );
  });

  test("nothing measured, nothing known; a flight of over 250 ms measures nothing", () => {
    const clock = new PeerClock();
    expect(clock.offset(own(0))).toBeUndefined();
    clock.add({ sentAt: 0, answeredAt: 251, wallMs: WALL_MS });
    expect(clock.offset(own(0))).toBeUndefined();
    clock.add({ sentAt: 0, answeredAt: 250, wallMs: WALL_MS + 125 });
    expect(clock.offset(own(0))).toEqual({ offsetMs: 0, errorMs: 126 });
  });

  test("two held-up answers of five change nothing", () => {
    const clock = new PeerClock();
    for (const backMs of [0, 200, 0, 240, 0]) {
      clock.add({ sentAt: 0, answeredAt: 2 + backMs, wallMs: WALL_MS + 61_001 });
    }
    expect(clock.offset(own(0))).toEqual({ offsetMs: 61_000, errorMs: 2 });
  });

  test("of more than five the oldest are forgotten: a clock that was set right is right", () => {
    const clock = new PeerClock();
    for (let at = 0; at < 5; at++)
      clock.add({ sentAt: at, answeredAt: at, wallMs: WALL_MS + 90_000 });
    for (let at = 5; at < 8; at++) clock.add({ sentAt: at, answeredAt: at, wallMs: WALL_MS + at });
    expect(clock.offset(own(8))?.offsetMs).toBe(0);
  });

  test("a jump of the own wall clock shows at once, and so does its correction", () => {
    const clock = new PeerClock();
    clock.add({ sentAt: 10, answeredAt: 12, wallMs: WALL_MS + 11 });
    expect(clock.offset(own(20))?.offsetMs).toBe(0);
    expect(clock.offset(own(21, 60_000))?.offsetMs).toBe(-60_000);
    expect(clock.offset(own(22, 0))?.offsetMs).toBe(0);
  });
});

describe("clocksAgainst", () => {
  const offsets = (
    ...all: readonly (ClockOffset | undefined)[]
  ): ReadonlyMap<NodeId, ClockOffset> => {
    const peers = nodeIds(all.length + 1).slice(1);
    return new Map(
      all.flatMap((offset, i) => {
        const peer = peers[i];
        return offset === undefined || peer === undefined ? [] : [[peer, offset] as const];
      }),
    );
  };
  const sure = (offsetMs: number): ClockOffset => ({ offsetMs, errorMs: 1 });
  const against = (members: number, ...all: readonly (ClockOffset | undefined)[]): number =>
    clocksAgainst(offsets(...all), { members, clockOffsetMaxMs: LIMIT_MS }).length;

  test("like a count of all members by hand, the own one among those that agree", () => {
    const offset = fc.option(
      fc.record({
        offsetMs: fc.integer({ min: -2_000, max: 2_000 }),
        errorMs: fc.integer({ min: 0, max: 800 }),
      }),
      { nil: undefined },
    );
    forAll(
      [fc.array(offset, { maxLength: 6 })],
      (all) => {
        const members = all.length + 1;
        const surelyOff = all.filter(
          (each) =>
            each !== undefined &&
            (each.offsetMs > LIMIT_MS + each.errorMs || each.offsetMs < -LIMIT_MS - each.errorMs),
        ).length;
        const isUnsafe = surelyOff > members / 2;
        expect(against(members, ...all)).toBe(isUnsafe ? surelyOff : 0);
      },
      1_000,
    );
  });

  test("of three: both others are needed, one cannot stop it", () => {
    expect(against(3, sure(60_000), sure(59_000))).toBe(2);
    expect(against(3, sure(60_000), sure(0))).toBe(0);
    expect(against(3, sure(60_000), undefined)).toBe(0);
  });

  test("of two: neither has a majority against it", () => {
    expect(against(2, sure(3_600_000))).toBe(0);
  });

  test("a single node, and one that hears of nobody, goes on", () => {
    expect(against(1)).toBe(0);
    expect(against(5)).toBe(0);
  });

  test("what is not sure does not count", () => {
    const unsure = { offsetMs: 600, errorMs: 100 };
    expect(against(3, unsure, unsure)).toBe(0);
    expect(against(3, { ...unsure, errorMs: 99 }, { ...unsure, errorMs: 99 })).toBe(2);
  });
});
