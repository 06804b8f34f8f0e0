import { describe, expect, test } from "vitest";
import { stampOfMs } from "../../../src/core/hlc.ts";
import { addressOf, refused, ReplicaBench, textOf, unknown, writeOf } from "./support.ts";

/** A bench whose disk holds these values. */
async function holding(
  values: Readonly<Record<string, string>>,
  opts: Parameters<typeof ReplicaBench.open>[0] = {},
): Promise<ReplicaBench> {
  const bench = await ReplicaBench.open(opts);
  for (const [key, value] of Object.entries(values)) {
    const { key: address, record } = writeOf(key, value, 7);
    bench.disk.overwrite(address, record.bytes);
  }
  bench.calls();
  return bench;
}

function valuesOf(answers: ReturnType<ReplicaBench["read"]>): readonly unknown[] {
  return answers.map((answer) => (answer.kind === "ok" ? textOf(answer.value) : answer));
}

describe("reads", () => {
  test("50 reads and learns of one tick are one getMany", async () => {
    const bench = await holding({ a: "1", b: "2" });
    const reads = Array.from({ length: 25 }, (_, i) => bench.read(i % 2 === 0 ? "a" : "b"));
    const learns = Array.from({ length: 25 }, () => bench.learn("a"));
    expect([...reads, ...learns].flat()).toEqual([]);
    await bench.settle();
    expect(reads.map(valuesOf)).toEqual(reads.map((_, i) => [i % 2 === 0 ? "1" : "2"]));
    expect(learns).toEqual(learns.map(() => [{ kind: "ok", value: stampOfMs(7) }]));
    expect(bench.calls()).toEqual({ getMany: 1, batch: 0, sync: 0 });
    expect(bench.time.now()).toBe(0);
  });

  test("a key that is not there is undefined, its newest stamp 0", async () => {
    const bench = await holding({});
    const [read, learn] = [bench.read("none"), bench.learn("none")];
    await bench.settle();
    expect(read).toEqual([{ kind: "ok", value: undefined }]);
    expect(learn).toEqual([{ kind: "ok", value: 0 }]);
  });

  test("while one getMany is under way the next ones are not held up", async () => {
    const bench = await holding({ a: "1" });
    let release: () => void = () => {};
    let calls = 0;
    bench.disk.pause = (work) => {
      if (work === "getMany") calls += 1;
      return calls > 1 ? Promise.resolve() : new Promise((resolve) => void (release = resolve));
    };
    const slow = bench.read("a");
    await bench.settle();
    const quick = bench.read("a");
    await bench.settle();
    expect([valuesOf(slow), valuesOf(quick)]).toEqual([[], ["1"]]);
    release();
    await bench.settle();
    expect(valuesOf(slow)).toEqual(["1"]);
  });

  test("after the deadline a read is refused, also when the record is at hand", async () => {
    const bench = await holding({ a: "1" }, { recordCacheBytes: 1_000_000 });
    const warm = bench.read("a");
    await bench.settle();
    expect(valuesOf(warm)).toEqual(["1"]);
    await bench.time.advance(100);
    const late = [bench.read("a", -1), bench.learn("a", -1), bench.read("b", -1)];
    await bench.settle();
    expect(late).toEqual([refused("expired"), refused("expired"), refused("expired")]);
    const justInTime = bench.read("a", 0);
    await bench.settle();
    expect(valuesOf(justInTime)).toEqual(["1"]);
  });

  test("readQueueMax of 4, under way or waiting: the fifth is refused and counted", async () => {
    const bench = await holding({ a: "1" }, { readQueueMax: 4 });
    const release = bench.hold("getMany");
    const taken = [bench.read("a"), bench.read("a")];
    await bench.settle();
    taken.push(bench.read("a"), bench.read("a"));
    const over = [bench.read("a"), bench.learn("a")];
    expect(over).toEqual([refused("overloaded"), refused("overloaded")]);
    expect(bench.telemetry.count("refused", "readQueueMax")).toBe(2);
    release();
    await bench.settle();
    expect(taken.map(valuesOf)).toEqual([["1"], ["1"], ["1"], ["1"]]);
    const again = bench.read("a");
    await bench.settle();
    expect(valuesOf(again)).toEqual(["1"]);
  });

  test("a damaged record is refused, by learn as well, and counted once; others are served", async () => {
    const bench = await holding({ a: "1", b: "2" });
    bench.rot("a");
    const answers = [bench.read("a"), bench.learn("a")];
    const good = bench.read("b");
    await bench.settle();
    expect(answers).toEqual([refused("damaged-record"), refused("damaged-record")]);
    expect(valuesOf(good)).toEqual(["2"]);
    expect(bench.telemetry.count("damagedRecords", "checksum")).toBe(1);
  });

  test("of 50 keys one lies in a block that cannot be read: it is damaged, 49 are served", async () => {
    const keys = Array.from({ length: 50 }, (_, i) => `key-${i}`);
    const bench = await holding(Object.fromEntries(keys.map((key) => [key, key])));
    bench.disk.breakBlock(addressOf("key-17"));
    const reads = keys.map((key) => bench.read(key));
    await bench.settle();
    const answers = reads.map(valuesOf);
    expect(answers[17]).toEqual(refused("damaged-record"));
    const others = keys.filter((key) => key !== "key-17");
    expect(answers.filter((_, i) => i !== 17)).toEqual(others.map((key) => [key]));
    expect(bench.telemetry.count("damagedRecords", "block")).toBe(1);
    expect(bench.calls().getMany).toBeLessThanOrEqual(13);
  });

  test("keys that cannot be read for another reason are in doubt; room is made, later reads go on", async () => {
    const bench = await holding({ a: "1" }, { readQueueMax: 2 });
    bench.disk.fail("getMany", { times: 3 });
    const failed = [bench.read("a"), bench.learn("none")];
    await bench.settle();
    expect(failed).toEqual([unknown("storage-error"), unknown("storage-error")]);
    expect(bench.calls().getMany).toBe(3);
    const after = [bench.read("a"), bench.read("a")];
    await bench.settle();
    expect(after.map(valuesOf)).toEqual([["1"], ["1"]]);
    expect(bench.telemetry.lines.filter(({ level }) => level === "error")).toHaveLength(1);
  });

  test("an error that has passed when the keys are read one by one harms none of them", async () => {
    const bench = await holding({ a: "1", b: "2" });
    bench.disk.fail("getMany");
    const reads = [bench.read("a"), bench.read("b")];
    await bench.settle();
    expect(reads.map(valuesOf)).toEqual([["1"], ["2"]]);
  });
});

describe("records that are kept in memory", () => {
  const opts = { recordCacheBytes: 1_000_000 };

  test("a read that was answered once costs no getMany again; neither does absence", async () => {
    const bench = await holding({ a: "1" }, opts);
    for (let i = 0; i < 3; i++) {
      const [read, none] = [bench.read("a"), bench.read("none")];
      await bench.settle();
      expect(valuesOf(read)).toEqual(["1"]);
      expect(valuesOf(none)).toEqual([undefined]);
    }
    expect(bench.calls().getMany).toBe(1);
  });

  test("what a read found before a commit is not kept over it, however late it comes", async () => {
    const bench = await holding({ a: "1" }, opts);
    const release = bench.hold("handOver");
    const before = bench.read("a");
    await bench.settle();
    bench.disk.pause = () => Promise.resolve();
    bench.write(writeOf("a", "2", 8));
    await bench.settle();
    release();
    await bench.settle();
    expect(valuesOf(before)).toEqual(["1"]);
    const after = bench.read("a");
    await bench.settle();
    expect(valuesOf(after)).toEqual(["2"]);
  });

  test("nothing of a commit is seen before it is on the disk", async () => {
    const bench = await holding({ a: "1" }, opts);
    const release = bench.hold("sync");
    bench.write(writeOf("a", "2", 8));
    await bench.settle();
    const during = bench.read("a");
    await bench.settle();
    expect(valuesOf(during)).toEqual(["1"]);
    release();
    await bench.settle();
    const after = bench.read("a");
    await bench.settle();
    expect(valuesOf(after)).toEqual(["2"]);
  });

  test("nothing of a failed commit is seen", async () => {
    const bench = await holding({ a: "1" }, opts);
    bench.disk.fail("batch", { applied: true });
    bench.write(writeOf("a", "2", 8));
    await bench.settle();
    const read = bench.read("a");
    await bench.settle();
    expect(valuesOf(read)).toEqual(["1"]);
  });
});
