import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LineBudget } from "../../../src/core/line-budget.ts";

const PER_SECOND = 10;
const BURST = 5;

describe("a budget of 10 lines a second, 5 at once", () => {
  test("the 6th at once is suppressed, and the next line tells of it", () => {
    const budget = new LineBudget({ perSecond: PER_SECOND, burst: BURST });
    const at = (now: number) => budget.take(now);
    expect([0, 0, 0, 0, 0, 0, 0].map(at)).toEqual([0, 0, 0, 0, 0, undefined, undefined]);
    expect([99, 101, 102].map(at)).toEqual([undefined, 3, undefined]);
  });

  test("no stretch of time has more lines than it may, and every line suppressed is told of or pending", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.nat({ max: 3_000 }))),
        (pauses) => {
          const budget = new LineBudget({ perSecond: PER_SECOND, burst: BURST });
          let now = 0;
          const lines: number[] = [];
          let told = 0;
          let silentSince = 0;
          for (const pause of pauses) {
            now += pause;
            const suppressed = budget.take(now);
            if (suppressed === undefined) silentSince += 1;
            else {
              lines.push(now);
              told += suppressed;
              silentSince = 0;
            }
          }
          expect(told + silentSince + lines.length).toBe(pauses.length);
          for (const [i, from] of lines.entries()) {
            for (const [j, to] of lines.slice(i).entries()) {
              expect(j + 1).toBeLessThanOrEqual(BURST + ((to - from) * PER_SECOND) / 1_000 + 1e-6);
            }
          }
        },
      ),
    );
  });
});
