import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NO_STAMP, stampOfMs, STAMPS_PER_MS } from "../../../src/core/hlc.ts";
import type { Stamp } from "../../../src/core/hlc.ts";
import { sleep } from "../../../src/ports/clock.ts";
import { StampLease } from "../../../src/node/replica/stamp-lease.ts";
import { VirtualTime } from "../../../src/testing/virtual-clock.ts";
import type { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { drain } from "../../support/virtual-cluster.ts";
import { ACTOR } from "./support.ts";

const LEASE_MS = 200;

/** Stores leases as a disk does, after `persistMs`; a crash forgets what is not stored yet. */
class Bench {
  readonly time = new VirtualTime({ drain });
  readonly persisted: Stamp[] = [];
  persistMs = 0;
  /** How far the highest lease was ahead of the next stamp when it was asked for, in stamps. */
  reach = 0;
  clock!: VirtualClock;
  stamps!: StampLease;
  /** In the order in which they were minted, over all runs. */
  readonly minted: Stamp[] = [];
  #lease: Stamp = NO_STAMP;

  async start(): Promise<void> {
    const wallOffsetMs = this.clock?.wallOffsetMs ?? 0;
    const clock = this.time.clock({ wallOffsetMs });
    this.clock = clock;
    const opening = StampLease.open(
      { actor: ACTOR, lease: this.#lease },
      {
        clock,
        persist: async (lease) => {
          const next = Math.max(stampOfMs(clock.wallMs()), this.stamps.lastMinted + 1);
          this.reach = Math.max(this.reach, lease - next);
          if (this.persistMs > 0) await sleep(clock, this.persistMs);
          this.persisted.push(lease);
          this.#lease = lease;
        },
      },
    );
    this.stamps = await this.time.settled(opening);
  }

  /** As Directory.close does: the next start goes on from the last stamp. */
  stop(): void {
    this.#lease = this.stamps.lastMinted;
    this.clock.stop();
  }

  crash(): void {
    this.clock.stop();
  }

  async mint(): Promise<Stamp> {
    const stamp = await this.time.settled(Promise.resolve(this.stamps.mint()));
    this.minted.push(stamp);
    return stamp;
  }

  /** Stamps that are not above the one minted before them. */
  get disorder(): readonly Stamp[] {
    return this.minted.filter((stamp, i) => i > 0 && stamp <= (this.minted[i - 1] ?? 0));
  }
}

async function open(): Promise<Bench> {
  const bench = new Bench();
  await bench.start();
  return bench;
}

describe("one run", () => {
  test("stamps follow the wall clock", async () => {
    const bench = await open();
    for (let i = 0; i < 5; i++) {
      expect(await bench.mint()).toBe(stampOfMs(bench.clock.wallMs()));
      await bench.time.advance(7);
    }
  });

  test("within one millisecond they count on, past its end too", async () => {
    const bench = await open();
    const first = await bench.mint();
    for (let i = 1; i <= 3 * STAMPS_PER_MS; i++) expect(await bench.mint()).toBe(first + i);
  });

  test("one persist serves many mints, those at once as well as those of its 200 ms", async () => {
    const bench = await open();
    bench.persistMs = 5;
    const burst = Array.from({ length: 500 }, async () => bench.stamps.mint());
    const stamps = await bench.time.settled(Promise.all(burst));
    expect(new Set(stamps).size).toBe(500);
    expect(bench.persisted).toHaveLength(1);
    for (let i = 0; i < 19; i++) {
      await bench.time.advance(10);
      expect(typeof bench.stamps.mint()).toBe("number");
    }
    expect(bench.persisted).toHaveLength(1);
  });

  test("prepare renews in the background, before the lease runs out: nobody ever waits", async () => {
    const bench = await open();
    bench.persistMs = 20;
    await bench.mint();
    for (let i = 0; i < 100; i++) {
      await bench.time.advance(10);
      bench.stamps.prepare();
      expect(typeof bench.stamps.mint()).toBe("number");
    }
    // Once in about 100 ms, not once a stamp.
    expect(bench.persisted.length).toBeLessThan(15);
  });

  test.each([0, 1, 100, 199, 200, 201, 1_000, 60_000])(
    "a stamp is minted even if storing the lease takes %i ms",
    async (persistMs) => {
      const bench = await open();
      bench.persistMs = persistMs;
      const stamp = bench.time.settled(Promise.resolve(bench.stamps.mint()), {
        withinMs: 10 * persistMs + 1,
      });
      expect(await stamp).toBeGreaterThan(NO_STAMP);
    },
  );

  test("no stamp is at or above the lease that is on the disk", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ waitMs: fc.nat(300), jumpMs: fc.integer({ min: -500, max: 500 }) }), {
          maxLength: 30,
        }),
        fc.nat(150),
        async (steps, persistMs) => {
          const bench = await open();
          bench.persistMs = persistMs;
          for (const { waitMs, jumpMs } of steps) {
            await bench.time.advance(waitMs);
            bench.clock.wallOffsetMs += jumpMs;
            if (waitMs % 2 === 0) bench.stamps.prepare();
            expect(await bench.mint()).toBeLessThan(bench.persisted.at(-1) ?? NO_STAMP);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test("a lease that cannot be stored fails the mint, and the next one tries again", async () => {
    const time = new VirtualTime({ drain });
    let broken = true;
    const stamps = await StampLease.open(
      { actor: ACTOR, lease: NO_STAMP },
      {
        clock: time.clock(),
        persist: () => (broken ? Promise.reject(new Error("disk full")) : Promise.resolve()),
      },
    );
    stamps.prepare();
    await expect(stamps.mint()).rejects.toThrow("disk full");
    broken = false;
    expect(await stamps.mint()).toBeGreaterThan(NO_STAMP);
  });
});

describe("a start waits for what the last run may have minted", () => {
  test("until the wall clock has passed the lease, 200 ms at most", async () => {
    for (const aheadMs of [-5, 0, 1, 150, 200, 3_600_000]) {
      const time = new VirtualTime({ drain });
      const clock = time.clock();
      const lease = stampOfMs(clock.wallMs() + aheadMs);
      const opening = StampLease.open({ actor: ACTOR, lease }, { clock, persist: async () => {} });
      await time.settled(opening);
      expect(time.now()).toBe(Math.min(Math.max(aheadMs, 0), LEASE_MS));
    }
  });
});

describe("across runs", () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("mint" as const), count: fc.nat(5) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(400) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("jump" as const),
        ms: fc.oneof(
          fc.integer({ min: -300, max: 300 }),
          fc.constantFrom(-86_400_000, -3_600_000, 3_600_000),
        ),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("restart" as const),
        how: fc.constantFrom("crash" as const, "stop" as const),
        /** A crash in the middle of storing a lease. */
        midway: fc.boolean(),
      }),
    },
  );

  test("stamps only ever grow, whatever crashes, stops and wall-clock jumps come between", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 40 }),
        fc.nat(60),
        async (steps, persistMs) => {
          const bench = await open();
          bench.persistMs = persistMs;
          for (const each of steps) {
            switch (each.kind) {
              case "mint":
                for (let i = 0; i < each.count; i++) await bench.mint();
                break;
              case "wait":
                await bench.time.advance(each.ms);
                break;
              case "jump":
                bench.clock.wallOffsetMs += each.ms;
                break;
              case "restart":
                if (each.how === "crash" && each.midway) {
                  bench.stamps.prepare();
                  await bench.time.advance(persistMs / 2);
                }
                bench[each.how]();
                await bench.start();
            }
          }
          await bench.mint();
          expect(bench.disorder).toEqual([]);
          expect(bench.reach).toBeLessThanOrEqual(LEASE_MS * STAMPS_PER_MS);
        },
      ),
      { numRuns: 300 },
    );
  });
});
