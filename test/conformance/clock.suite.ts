import { describe, expect, test } from "vitest";
import type { Clock } from "../../src/ports/clock.ts";
import { sleep } from "../../src/ports/clock.ts";

export interface ClockHarness {
  readonly clock: Clock;
  /** Lets time pass until the promise settles. */
  readonly settled: <T>(promise: Promise<T>) => Promise<T>;
}

/** The contract of Clock. */
export function clockSuite(name: string, makeHarness: () => ClockHarness): void {
  describe(`clock: ${name}`, () => {
    test("now is a finite number that never goes back", async () => {
      const { clock, settled } = makeHarness();
      let last = clock.now();
      expect(Number.isFinite(last)).toBe(true);
      for (let i = 0; i < 20; i++) {
        await settled(sleep(clock, i % 3));
        expect(clock.now()).toBeGreaterThanOrEqual(last);
        last = clock.now();
      }
    });

    test("wallMs is whole milliseconds since 1970", () => {
      const { clock } = makeHarness();
      expect(Number.isSafeInteger(clock.wallMs())).toBe(true);
      expect(clock.wallMs()).toBeGreaterThan(Date.UTC(2020, 0, 1));
    });

    test("after acts once, not within the call and not before the delay has passed", async () => {
      const { clock, settled } = makeHarness();
      const begun = clock.now();
      let calls = 0;
      const fired = new Promise<number>((resolve) => {
        clock.after(10, () => {
          calls += 1;
          resolve(clock.now());
        });
      });
      expect(calls).toBe(0);
      // Timers of the machine count in whole milliseconds.
      expect((await settled(fired)) - begun).toBeGreaterThanOrEqual(9);
      await settled(sleep(clock, 20));
      expect(calls).toBe(1);
    });

    test("a delay of 0, or one that is over, does not act within the call", async () => {
      const { clock, settled } = makeHarness();
      const order: string[] = [];
      const fired = Promise.all(
        [0, -5].map(
          (delayMs) =>
            new Promise<void>((resolve) => {
              clock.after(delayMs, () => {
                order.push("timer");
                resolve();
              });
            }),
        ),
      );
      order.push("caller");
      await settled(fired);
      expect(order).toEqual(["caller", "timer", "timer"]);
    });

    test("timers act in the order in which they are due", async () => {
      const { clock, settled } = makeHarness();
      const order: number[] = [];
      for (const delayMs of [40, 5, 20]) clock.after(delayMs, () => order.push(delayMs));
      await settled(sleep(clock, 60));
      expect(order).toEqual([5, 20, 40]);
    });

    test("a cancelled timer does not act, and cancelling twice or too late does nothing", async () => {
      const { clock, settled } = makeHarness();
      let calls = 0;
      const cancelled = clock.after(1, () => (calls += 10));
      const fires = clock.after(1, () => (calls += 1));
      cancelled.cancel();
      cancelled.cancel();
      await settled(sleep(clock, 10));
      fires.cancel();
      expect(calls).toBe(1);
    });

    test("soon acts once, after the caller and all promises that need nothing else", async () => {
      const { clock, settled } = makeHarness();
      const order: string[] = [];
      const soon = new Promise<void>((resolve) => {
        clock.soon(() => {
          order.push("soon");
          resolve();
        });
      });
      void (async () => {
        for (let i = 0; i < 50; i++) await Promise.resolve();
        order.push("promises");
      })();
      order.push("caller");
      await settled(soon);
      await settled(sleep(clock, 5));
      expect(order).toEqual(["caller", "promises", "soon"]);
    });

    test("what is asked for soon happens in the order in which it was asked", async () => {
      const { clock, settled } = makeHarness();
      const order: number[] = [];
      for (let i = 0; i < 5; i++) clock.soon(() => order.push(i));
      await settled(sleep(clock, 5));
      expect(order).toEqual([0, 1, 2, 3, 4]);
    });
  });
}
