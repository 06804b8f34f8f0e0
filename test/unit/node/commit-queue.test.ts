import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hex, utf8 } from "../../../src/core/bytes.ts";
import { parseRecordKey } from "../../../src/core/record-key.ts";
import { decodeRecord } from "../../../src/core/version/record.ts";
import { addressOf, APPLIED, refused, ReplicaBench, unknown, writeOf } from "./support.ts";
import type { Write } from "./support.ts";

const keys = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => `key-${i}`);

describe("group commit", () => {
  test("100 writes of one tick are one getMany, one batch, one fsync", async () => {
    const bench = await ReplicaBench.open();
    const answers = keys(100).map((key) => bench.write(writeOf(key, key)));
    expect(answers.flat()).toEqual([]);
    await bench.settle();
    expect(answers).toEqual(keys(100).map(() => APPLIED));
    expect(bench.calls()).toEqual({ getMany: 1, batch: 1, sync: 1 });
    expect(bench.telemetry.observations("commitBatch")).toEqual([100]);
    for (const key of keys(100)) expect(bench.stored(key)).toBe(key);
  });

  test("a lone write waits for nobody: it is done without time going on", async () => {
    const bench = await ReplicaBench.open();
    const answers = bench.write(writeOf("k", "v"));
    await bench.settle();
    expect(answers).toEqual(APPLIED);
    expect(bench.time.now()).toBe(0);
  });

  test("while one batch is under way the next gathers, however long it takes", async () => {
    const bench = await ReplicaBench.open();
    const release = bench.hold("sync");
    const first = bench.write(writeOf("first", "1"));
    await bench.settle();
    const later: unknown[][] = [];
    for (const key of keys(30)) {
      later.push(bench.write(writeOf(key, key)));
      await bench.settle();
    }
    expect(bench.calls()).toEqual({ getMany: 1, batch: 1, sync: 1 });
    expect([first, ...later].flat()).toEqual([]);
    release();
    await bench.settle();
    expect(bench.calls()).toEqual({ getMany: 1, batch: 1, sync: 1 });
    expect([first, ...later]).toEqual(Array.from({ length: 31 }, () => APPLIED));
    expect(bench.telemetry.observations("commitBatch")).toEqual([1, 30]);
  });

  test("a commit that takes 500 ms or more tells where the time went; one of 499 ms says nothing", async () => {
    for (const [ms, told] of [
      [499, 0],
      [500, 1],
    ] as const) {
      const bench = await ReplicaBench.open();
      const release = bench.hold("sync");
      bench.write(writeOf("k", "v"));
      await bench.time.advance(ms);
      release();
      await bench.settle();
      expect(bench.telemetry.lines).toHaveLength(told);
    }
    const bench = await ReplicaBench.open();
    const releaseRead = bench.hold("getMany");
    bench.write(writeOf("first", "1"));
    await bench.time.advance(100);
    releaseRead();
    const releaseSync = bench.hold("sync");
    await bench.time.advance(50);
    for (const key of ["second", "third"]) bench.write(writeOf(key, "2"));
    await bench.time.advance(600);
    releaseSync();
    await bench.settle();
    expect(bench.telemetry.lines).toEqual([
      {
        level: "info",
        message: "a commit was slow",
        fields: { queueMs: 0, readMs: 100, fsyncMs: 650, writes: 1, suppressed: 0 },
      },
      {
        level: "info",
        message: "a commit was slow",
        fields: { queueMs: 600, readMs: 0, fsyncMs: 0, writes: 2, suppressed: 0 },
      },
    ]);
    expect(bench.telemetry.observations("commitWait")).toEqual([0, 0.6]);
  });

  test("slow commits beyond 5 at once and 1 a second say nothing, which is counted", async () => {
    const bench = await ReplicaBench.open({ commitBatchBytesMax: 1 });
    const release = bench.hold("sync");
    for (const key of keys(9)) bench.write(writeOf(key, "v"));
    await bench.time.advance(500);
    release();
    await bench.settle();
    expect(bench.telemetry.lines).toHaveLength(5);
    expect(bench.telemetry.count("refused", "commitLinesMax")).toBe(4);
  });

  test("nobody is answered before the batch is on the disk", async () => {
    for (const work of ["batch", "sync"] as const) {
      const bench = await ReplicaBench.open();
      const release = bench.hold(work);
      const answers = bench.write(writeOf("k", "v"));
      await bench.time.advance(10_000);
      expect(answers).toEqual([]);
      release();
      await bench.settle();
      expect(answers).toEqual(APPLIED);
    }
  });

  test("one sync write makes the whole batch synced; async ones alone cost no fsync", async () => {
    const bench = await ReplicaBench.open();
    bench.write(writeOf("a", "1"), { durability: "async" });
    bench.write(writeOf("b", "1"), { durability: "async" });
    await bench.settle();
    expect(bench.calls()).toEqual({ getMany: 1, batch: 1, sync: 0 });
    bench.write(writeOf("c", "1"), { durability: "async" });
    bench.write(writeOf("d", "1"), { durability: "sync" });
    await bench.settle();
    expect(bench.calls()).toEqual({ getMany: 1, batch: 1, sync: 1 });
    const { telemetry } = bench;
    expect(telemetry.observations("commitDuration", "async")).toHaveLength(1);
    expect(telemetry.observations("commitDuration", "sync")).toHaveLength(1);
  });

  test("a batch takes at most commitBatchBytesMax of records, and at least one", async () => {
    const size = writeOf("k", "x".repeat(1_000)).record.bytes.byteLength;
    const bench = await ReplicaBench.open({ commitBatchBytesMax: 3 * size });
    const answers = keys(7).map((key) => bench.write(writeOf(key, "x".repeat(1_000))));
    const large = bench.write(writeOf("large", "x".repeat(10_000)));
    await bench.settle();
    expect(bench.telemetry.observations("commitBatch")).toEqual([3, 3, 1, 1]);
    expect([...answers, large]).toEqual(Array.from({ length: 8 }, () => APPLIED));
  });

  test("an entry of the node's own rides along, synced, even with async writes", async () => {
    const bench = await ReplicaBench.open();
    const answers = bench.write(writeOf("k", "v"), { durability: "async" });
    const put = bench.put({ key: utf8("mine"), value: utf8("entry") });
    await bench.time.settled(put);
    expect(answers).toEqual(APPLIED);
    expect(bench.calls()).toEqual({ getMany: 1, batch: 1, sync: 1 });
    bench.disk.losePower();
    await bench.disk.open();
    expect(hex(bench.disk.get(utf8("mine")) ?? utf8(""))).toBe(hex(utf8("entry")));
    expect(bench.stored("k")).toBe("v");
  });
});

describe("merge", () => {
  test("of several writes of one key in a batch the newest is stored; all are acknowledged", async () => {
    const bench = await ReplicaBench.open();
    const answers = [3, 1, 5, 2, 4].map((at) => bench.write(writeOf("k", `value ${at}`, at)));
    await bench.settle();
    expect(answers).toEqual([APPLIED, APPLIED, APPLIED, APPLIED, APPLIED]);
    expect(bench.stored("k")).toBe("value 5");
    expect(bench.calls()).toEqual({ getMany: 1, batch: 1, sync: 1 });
  });

  test("an older write does not replace a newer one, is acknowledged, and is remembered", async () => {
    const bench = await ReplicaBench.open();
    bench.write(writeOf("k", "newer", 2));
    await bench.settle();
    bench.calls();
    const older = writeOf("k", "older", 1);
    for (const batch of [1, 0]) {
      const answers = bench.write(older);
      await bench.settle();
      expect(answers).toEqual(APPLIED);
      expect(bench.stored("k")).toBe("newer");
      expect(bench.calls()).toEqual({ getMany: 1, batch, sync: batch });
    }
  });

  test("a write that is there already is acknowledged and writes nothing", async () => {
    const bench = await ReplicaBench.open();
    const write = writeOf("k", "v");
    bench.write(write);
    await bench.settle();
    bench.calls();
    const answers = bench.write(write);
    await bench.settle();
    expect(answers).toEqual(APPLIED);
    expect(bench.calls().batch).toBe(0);
  });

  test("a tombstone of the same stamp wins over a value, whichever comes first", async () => {
    const [value, tombstone] = [writeOf("k", "v", 1, "a"), writeOf("k", undefined, 1, "b")];
    for (const order of [
      [value, tombstone],
      [tombstone, value],
    ]) {
      const bench = await ReplicaBench.open();
      for (const write of order) {
        bench.write(write);
        await bench.settle();
      }
      const stored = bench.disk.get(addressOf("k")) ?? Uint8Array.of();
      const record = decodeRecord(addressOf("k"), stored);
      expect(record).toMatchObject({ version: { content: undefined, writeId: "b" } });
    }
  });

  test("any order and any grouping of the same writes leaves the same bytes, cached or not", async () => {
    const write = fc.record({
      key: fc.constantFrom("a", "b"),
      value: fc.option(fc.constantFrom("x", "y"), { nil: undefined }),
      at: fc.integer({ min: 1, max: 3 }),
      id: fc.constantFrom("w1", "w2"),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(write, { minLength: 1, maxLength: 12 }),
        fc.infiniteStream(fc.nat(3)),
        fc.constantFrom(0, 1_000_000),
        async (given, choices, recordCacheBytes) => {
          const writes = given.map(({ key, value, at, id }) => writeOf(key, value, at, id));
          const store = async (order: readonly Write[]): Promise<readonly string[]> => {
            const bench = await ReplicaBench.open({ recordCacheBytes });
            const answers: unknown[][] = [];
            for (const each of order) {
              answers.push(
                bench.write(each, { durability: choices.next().value ? "sync" : "async" }),
              );
              if (choices.next().value === 0) await bench.settle();
            }
            await bench.settle();
            expect(answers).toEqual(order.map(() => APPLIED));
            const records = bench.disk.entries().filter(([key]) => parseRecordKey(key));
            return records.map(([key, value]) => `${hex(key)}=${hex(value)}`);
          };
          expect(await store(writes.toReversed())).toEqual(await store(writes));
        },
      ),
      { numRuns: 80 },
    );
  });
});

describe("what comes too late or is too much", () => {
  test("a write whose deadline has passed when its turn comes is refused and not stored", async () => {
    const bench = await ReplicaBench.open();
    const release = bench.hold("batch");
    bench.write(writeOf("first", "1"));
    await bench.settle();
    const late = bench.write(writeOf("late", "v"), { withinMs: 100 });
    const onTime = bench.write(writeOf("on time", "v"), { withinMs: 101 });
    await bench.time.advance(101);
    release();
    await bench.settle();
    expect(late).toEqual(refused("expired"));
    expect(onTime).toEqual(APPLIED);
    expect(bench.stored("late")).toBeUndefined();
    expect(bench.stored("on time")).toBe("v");
  });

  test("commitQueueMax of 3: the fourth that waits is refused and counted; those at the disk do not count", async () => {
    const bench = await ReplicaBench.open({ commitQueueMax: 3 });
    const release = bench.hold("batch");
    const atDisk = bench.write(writeOf("at the disk", "v"));
    await bench.settle();
    const waiting = keys(3).map((key) => bench.write(writeOf(key, key)));
    const over = [bench.write(writeOf("x", "v")), bench.write(writeOf("y", "v"))];
    expect(over).toEqual([refused("overloaded"), refused("overloaded")]);
    expect(bench.telemetry.count("refused", "commitQueueMax")).toBe(2);
    release();
    await bench.settle();
    expect([atDisk, ...waiting]).toEqual([APPLIED, APPLIED, APPLIED, APPLIED]);
    const again = bench.write(writeOf("x", "v"));
    await bench.settle();
    expect(again).toEqual(APPLIED);
  });
});

describe("a storage that fails", () => {
  test.each(["io", "corruption"] as const)(
    "(%s) at a batch: its writers are in doubt, those that wait and come later are refused; reported once",
    async (kind) => {
      const bench = await ReplicaBench.open();
      const release = bench.hold("batch");
      bench.disk.fail("batch", { kind });
      const atDisk = [bench.write(writeOf("a", "1")), bench.write(writeOf("b", "1"))];
      await bench.settle();
      const put = bench.put({ key: utf8("mine"), value: utf8("entry") }).catch(String);
      const waiting = bench.write(writeOf("c", "1"));
      release();
      await bench.settle();
      const later = bench.write(writeOf("d", "1"));
      expect(atDisk).toEqual([unknown("storage-error"), unknown("storage-error")]);
      expect([waiting, later]).toEqual([refused("stopping"), refused("stopping")]);
      expect(bench.storageErrors).toMatchObject([{ kind }]);
      expect(await put).toContain("injected");
      await expect(bench.put({ key: utf8("more"), value: utf8("x") })).rejects.toThrow("failed");
      const batches = bench.disk.calls.batch;
      await bench.time.advance(10_000);
      expect(bench.disk.calls.batch).toBe(batches);
      expect(["c", "d"].map((key) => bench.stored(key))).toEqual([undefined, undefined]);
      expect(bench.recoveries).toBe(0);
    },
  );

  test("an old record that cannot be read leaves its own writers in doubt and nobody else", async () => {
    const bench = await ReplicaBench.open();
    bench.write(writeOf("b", "old"));
    await bench.settle();
    // All of them, then the first half, then its only key; the second half is read.
    bench.disk.fail("getMany", { times: 2 });
    const answers = [bench.write(writeOf("a", "1")), bench.write(writeOf("b", "new", 2))];
    await bench.settle();
    expect(answers).toEqual([unknown("storage-error"), APPLIED]);
    expect([bench.stored("a"), bench.stored("b")]).toEqual([undefined, "new"]);
    expect(bench.storageErrors).toEqual([]);
    const again = bench.write(writeOf("a", "1"));
    await bench.settle();
    expect(again).toEqual(APPLIED);
  });

  test("a failed batch that was applied shows after a restart: unknown was right", async () => {
    const bench = await ReplicaBench.open();
    bench.disk.fail("batch", { applied: true });
    const answers = bench.write(writeOf("k", "v"));
    await bench.settle();
    expect(answers).toEqual(unknown("storage-error"));
    bench.disk.kill();
    await bench.disk.open();
    expect(bench.stored("k")).toBe("v");
  });

  test("close says whether every batch succeeded", async () => {
    const whole = await ReplicaBench.open();
    whole.write(writeOf("k", "v"));
    expect(await whole.time.settled(whole.close())).toBe(true);
    const broken = await ReplicaBench.open();
    broken.disk.fail("batch");
    broken.write(writeOf("k", "v"));
    expect(await broken.time.settled(broken.close())).toBe(false);
  });
});

describe("a loss of power", () => {
  test("an older sync write is not acknowledged by a newer async one that may be lost", async () => {
    for (const rotated of [false, true]) {
      for (const recordCacheBytes of [0, 1_000_000]) {
        const bench = await ReplicaBench.open({ recordCacheBytes });
        bench.write(writeOf("other", "v"));
        bench.write(writeOf("k", "newer, async", 2), { durability: "async" });
        await bench.settle();
        bench.write(writeOf("k", "newest, async", 3), { durability: "async" });
        await bench.settle();
        if (rotated) bench.disk.rotateLog();
        const answers = bench.write(writeOf("k", "older, sync", 1));
        await bench.settle();
        expect(answers).toEqual(APPLIED);
        bench.disk.losePower();
        await bench.disk.open();
        expect(bench.stored("k")).toBe("newest, async");
      }
    }
  });

  test("a sync write of what was written async before makes it durable", async () => {
    const bench = await ReplicaBench.open();
    const write = writeOf("k", "v");
    bench.write(write, { durability: "async" });
    await bench.settle();
    bench.disk.rotateLog();
    const answers = bench.write(write, { durability: "sync" });
    await bench.settle();
    expect(answers).toEqual(APPLIED);
    bench.disk.losePower();
    await bench.disk.open();
    expect(bench.stored("k")).toBe("v");
  });

  test("whatever was acknowledged as sync is there, or something newer, wherever the power goes", async () => {
    const step = fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({
          kind: fc.constant("write" as const),
          key: fc.constantFrom("a", "b", "c"),
          at: fc.integer({ min: 1, max: 6 }),
          durability: fc.constantFrom("sync" as const, "async" as const),
          settle: fc.boolean(),
        }),
      },
      { weight: 1, arbitrary: fc.constant({ kind: "rotate" as const }) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 25 }),
        fc.nat(3),
        fc.constantFrom(0, 600, 1_000_000),
        async (steps, kept, recordCacheBytes) => {
          const bench = await ReplicaBench.open({ recordCacheBytes });
          bench.write(writeOf("created", "v"));
          await bench.settle();
          const pending: { key: string; at: number; answers: unknown[] }[] = [];
          for (const each of steps) {
            if (each.kind === "rotate") {
              bench.disk.rotateLog();
              continue;
            }
            const { key, at, durability } = each;
            const answers = bench.write(writeOf(key, `${at}`, at), { durability });
            if (durability === "sync") pending.push({ key, at, answers });
            if (each.settle) await bench.settle();
          }
          const acknowledged = pending.filter(({ answers }) => answers.length > 0);
          bench.disk.losePower((unsynced) => Math.min(kept, unsynced));
          await bench.disk.open();
          for (const { key, at } of acknowledged) {
            expect(Number(bench.stored(key))).toBeGreaterThanOrEqual(at);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe("close", () => {
  test("commits what waits and what is under way, and refuses what comes after", async () => {
    const bench = await ReplicaBench.open();
    const release = bench.hold("batch");
    const first = bench.write(writeOf("a", "1"));
    await bench.settle();
    const second = bench.write(writeOf("b", "1"));
    const closed = bench.close();
    const late = bench.write(writeOf("c", "1"));
    expect(late).toEqual(refused("stopping"));
    release();
    await bench.time.settled(closed);
    expect([first, second]).toEqual([APPLIED, APPLIED]);
    expect(["a", "b", "c"].map((key) => bench.stored(key))).toEqual(["1", "1", undefined]);
  });

  test("takes in what was queued in the same tick", async () => {
    const bench = await ReplicaBench.open();
    const answers = bench.write(writeOf("a", "1"));
    await bench.close();
    expect(answers).toEqual(APPLIED);
  });

  test("of an idle queue is immediate, and may be called twice", async () => {
    const bench = await ReplicaBench.open();
    await bench.close();
    await bench.close();
    expect(bench.calls()).toEqual({ getMany: 0, batch: 0, sync: 0 });
  });

  test("afterwards not even an entry of the node's own reaches the disk", async () => {
    const bench = await ReplicaBench.open();
    await bench.close();
    const ends: string[] = [];
    const put = bench.put({ key: utf8("mine"), value: utf8("x") });
    put.then(
      () => ends.push("written"),
      () => ends.push("refused"),
    );
    await bench.settle();
    expect(ends).toEqual(["refused"]);
    expect(bench.calls().batch).toBe(0);
    expect(bench.storageErrors).toEqual([]);
  });
});

describe("the position of the directory", () => {
  test("grows with each synced batch, within it, and with no other", async () => {
    const bench = await ReplicaBench.open();
    bench.write(writeOf("a", "1"), { durability: "async" });
    await bench.settle();
    expect([bench.storedPosition, bench.journal.position]).toEqual([undefined, 0]);
    bench.write(writeOf("a", "2", 2));
    bench.write(writeOf("b", "2", 2));
    await bench.settle();
    expect([bench.storedPosition, bench.journal.position]).toEqual(["1", 1]);
    await Promise.all([bench.put({ key: utf8("m"), value: utf8("1") }), bench.settle()]);
    expect(bench.journal.position).toBe(1);
    // The same again, after a synced batch: nothing unsynced is left, nothing is written.
    bench.write(writeOf("b", "2", 2), { durability: "async" });
    await bench.settle();
    expect(bench.journal.position).toBe(1);
  });

  test("does not count a batch that failed", async () => {
    const bench = await ReplicaBench.open();
    bench.disk.fail("batch", { applied: true });
    bench.write(writeOf("a", "1"));
    await bench.settle();
    expect(bench.journal.position).toBe(0);
  });
});
