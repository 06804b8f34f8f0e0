import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sleep } from "../../../src/ports/clock.ts";
import { VirtualTime } from "../../../src/testing/virtual-clock.ts";
import { drain } from "../../support/virtual-cluster.ts";

const makeTime = () => new VirtualTime({ drain, wallMs: 1_000_000 });

describe("the order of events", () => {
  test("by instant, and within one by the order in which they were asked for", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ delayMs: fc.nat(20), cancel: fc.boolean() }), { maxLength: 60 }),
        async (asked) => {
          const time = makeTime();
          const clocks = [time.clock(), time.clock()];
          const ran: number[] = [];
          const timers = asked.map(({ delayMs }, i) =>
            clocks[i % 2]?.after(delayMs, () => ran.push(i)),
          );
          for (const [i, { cancel }] of asked.entries()) if (cancel) timers[i]?.cancel();
          await time.advance(20);
          const expected = [...asked.entries()]
            .filter(([, { cancel }]) => !cancel)
            .toSorted(([i, a], [j, b]) => a.delayMs - b.delayMs || i - j)
            .map(([i]) => i);
          expect(ran).toEqual(expected);
        },
      ),
    );
  });

  test("what an event asks for at its own instant comes after all that is known for it", async () => {
    const time = makeTime();
    const clock = time.clock();
    const order: string[] = [];
    clock.after(5, () => {
      order.push("first");
      clock.soon(() => order.push("soon"));
    });
    clock.after(5, () => order.push("second"));
    await time.advance(5);
    expect(order).toEqual(["first", "second", "soon"]);
  });

  test("promises settle between two events, however long their chains", async () => {
    const time = makeTime();
    const clock = time.clock();
    const order: string[] = [];
    clock.after(1, () => {
      void (async () => {
        for (let i = 0; i < 1_000; i++) await Promise.resolve();
        order.push("chain");
      })();
    });
    clock.after(1, () => order.push("next event"));
    await time.advance(1);
    expect(order).toEqual(["chain", "next event"]);
  });

  test("two runs of one program see the same instants", async () => {
    const run = async (): Promise<readonly string[]> => {
      const time = makeTime();
      const clock = time.clock();
      const trace: string[] = [];
      const walk = async (name: string, stepMs: number): Promise<void> => {
        for (let i = 0; i < 20; i++) {
          await sleep(clock, stepMs);
          trace.push(`${name} ${clock.now()}`);
        }
      };
      await time.settled(Promise.all([walk("a", 3), walk("b", 2), walk("c", 1.5)]));
      return trace;
    };
    expect(await run()).toEqual(await run());
  });
});

describe("driving it", () => {
  test("step runs one event, moves now to it, and says whether there was one", async () => {
    const time = makeTime();
    const clock = time.clock();
    const ran: number[] = [];
    clock.after(7, () => ran.push(7));
    clock.after(3, () => ran.push(3));
    clock.after(4, () => ran.push(4)).cancel();
    expect(await time.step()).toBe(true);
    expect([ran, time.now()]).toEqual([[3], 3]);
    expect(await time.step()).toBe(true);
    expect([ran, time.now()]).toEqual([[3, 7], 7]);
    expect(await time.step()).toBe(false);
    expect(time.now()).toBe(7);
  });

  test("advance runs what falls into the span, its end included, and what that causes", async () => {
    const time = makeTime();
    const clock = time.clock();
    const ran: number[] = [];
    const every = (): void => {
      ran.push(clock.now());
      clock.after(10, every);
    };
    clock.after(10, every);
    await time.advance(30);
    expect([ran, time.now()]).toEqual([[10, 20, 30], 30]);
    await time.advance(9.5);
    expect([ran, time.now()]).toEqual([[10, 20, 30], 39.5]);
    await time.advance(0.5);
    expect(ran).toEqual([10, 20, 30, 40]);
  });

  test("runUntil stops as soon as the condition holds, at once if it does already", async () => {
    const time = makeTime();
    const clock = time.clock();
    let ran = 0;
    for (let i = 1; i <= 5; i++) clock.after(i, () => (ran += 1));
    await time.runUntil(() => true);
    expect(ran).toBe(0);
    await time.runUntil(() => ran === 3);
    expect([ran, time.now()]).toEqual([3, 3]);
  });

  test("runUntil fails when nothing is left to happen, or when it takes too long", async () => {
    const time = makeTime();
    const clock = time.clock();
    clock.after(5, () => {});
    await expect(time.runUntil(() => false)).rejects.toThrow("nothing is left to happen at 5 ms");
    const tick = (): void => void clock.after(10, tick);
    tick();
    await expect(time.runUntil(() => false, { withinMs: 100 })).rejects.toThrow(
      "the condition is false after 100 ms",
    );
    expect(time.now()).toBeLessThanOrEqual(105);
  });

  test("settled hands on the value or the error", async () => {
    const time = makeTime();
    const clock = time.clock();
    expect(await time.settled(sleep(clock, 20).then(() => "value"))).toBe("value");
    expect(time.now()).toBe(20);
    const failing = sleep(clock, 5).then(() => Promise.reject(new Error("broken")));
    await expect(time.settled(failing)).rejects.toThrow("broken");
    expect(await time.settled(Promise.resolve(1))).toBe(1);
  });

  test("an error of an action fails the run that runs it", async () => {
    const time = makeTime();
    time.after(1, () => {
      throw new Error("a bug");
    });
    await expect(time.advance(1)).rejects.toThrow("a bug");
  });

  test("two callers cannot drive it at once: their events would run into each other", async () => {
    const time = makeTime();
    time.after(1, () => {});
    time.after(2, () => {});
    const first = time.step();
    await expect(time.step()).rejects.toThrow("one caller at a time");
    expect(await first).toBe(true);
    expect(await time.step()).toBe(true);
  });

  test("a timer is cancelled by whoever ran before it at the same instant", async () => {
    const time = makeTime();
    const clock = time.clock();
    let ran = false;
    clock.after(1, () => later.cancel());
    const later = clock.after(1, () => (ran = true));
    await time.advance(2);
    expect(ran).toBe(false);
  });
});

describe("the clocks of processes", () => {
  test("wall clocks are off by their own offset, jump when told to, and now does not notice", async () => {
    const time = makeTime();
    const right = time.clock();
    const ahead = time.clock({ wallOffsetMs: 60_000 });
    const behind = time.clock({ wallOffsetMs: -60_000 });
    await time.advance(10.7);
    expect([right, ahead, behind].map((clock) => clock.wallMs())).toEqual([
      1_000_010, 1_060_010, 940_010,
    ]);
    ahead.wallOffsetMs = -5;
    expect(ahead.wallMs()).toBe(1_000_005);
    expect([right.now(), ahead.now(), behind.now()]).toEqual([10.7, 10.7, 10.7]);
  });

  test("a stopped clock runs nothing any more, neither what was asked for before nor after", async () => {
    const time = makeTime();
    const dead = time.clock();
    const alive = time.clock();
    const ran: string[] = [];
    dead.after(5, () => ran.push("timer"));
    dead.soon(() => ran.push("soon"));
    alive.after(5, () => ran.push("alive"));
    dead.stop();
    dead.after(1, () => ran.push("later"));
    await time.advance(10);
    expect(ran).toEqual(["alive"]);
  });

  test("a paused clock runs what came due when it resumes, in order, then goes on", async () => {
    const time = makeTime();
    const clock = time.clock();
    const ran: string[] = [];
    clock.after(3, () => ran.push(`three at ${clock.now()}`));
    const cancelled = clock.after(4, () => ran.push("cancelled"));
    clock.after(2, () => ran.push(`two at ${clock.now()}`));
    clock.after(20, () => ran.push(`twenty at ${clock.now()}`));
    clock.pause();
    await time.advance(10);
    expect(ran).toEqual([]);
    cancelled.cancel();
    clock.resume();
    await time.advance(15);
    expect(ran).toEqual(["two at 10", "three at 10", "twenty at 20"]);
  });

  test("a paused clock that is stopped forgets what came due; a stopped one does not resume", async () => {
    const time = makeTime();
    const clock = time.clock();
    let ran = false;
    clock.after(1, () => (ran = true));
    clock.pause();
    await time.advance(2);
    clock.stop();
    clock.resume();
    clock.soon(() => (ran = true));
    await time.advance(2);
    expect(ran).toBe(false);
  });
});
