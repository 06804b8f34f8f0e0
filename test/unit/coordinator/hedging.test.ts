import { describe, expect, test } from "vitest";
import { Hedging } from "../../../src/coordinator/hedging.ts";

const OPTIONS = { spareDelayMs: 50, spareDelayMinMs: 5 };

function after(times: readonly number[]): Hedging {
  const hedging = new Hedging(OPTIONS);
  for (const ms of times) hedging.answered(ms);
  return hedging;
}

const repeat = (count: number, ms: number): number[] => Array.from({ length: count }, () => ms);

describe("the delay", () => {
  test("is the longest one until 100 answers were timed", () => {
    expect(after(repeat(99, 10)).delayMs).toBe(50);
    expect(after(repeat(100, 10)).delayMs).toBe(10);
  });

  test("is the 99th percentile: 1 slow answer in 100 does not lengthen it, 2 do", () => {
    expect(after([...repeat(99, 10), 40]).delayMs).toBe(10);
    expect(after([...repeat(98, 10), 40, 40]).delayMs).toBe(40);
  });

  test("stays between its bounds", () => {
    expect(after(repeat(100, 0.2)).delayMs).toBe(5);
    expect(after(repeat(100, 900)).delayMs).toBe(50);
    const hedging = new Hedging({ spareDelayMs: 3, spareDelayMinMs: 5 });
    for (const ms of repeat(100, 0.2)) hedging.answered(ms);
    expect(hedging.delayMs).toBe(3);
  });

  test("follows a cluster that has become slower, and one that has become quicker again", () => {
    const hedging = after(repeat(600, 10));
    for (const ms of repeat(64, 30)) hedging.answered(ms);
    expect(hedging.delayMs).toBe(30);
    for (const ms of repeat(640, 10)) hedging.answered(ms);
    expect(hedging.delayMs).toBe(10);
  });
});

describe("the budget", () => {
  test("10 at once, then 5 % of the rounds, never more than 10 saved up", () => {
    const hedging = new Hedging(OPTIONS);
    const takeAll = (): number => {
      let taken = 0;
      while (taken < 1_000 && hedging.take()) taken += 1;
      return taken;
    };
    expect(takeAll()).toBe(10);
    for (let round = 0; round < 101; round++) hedging.begun();
    expect(takeAll()).toBe(5);
    for (let round = 0; round < 100_000; round++) hedging.begun();
    expect(takeAll()).toBe(10);
  });
});
