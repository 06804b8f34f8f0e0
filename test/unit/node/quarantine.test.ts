import { describe, expect, test } from "vitest";
import { equalBytes } from "../../../src/core/bytes.ts";
import type { KvRecord } from "../../../src/core/version/record.ts";
import { addressOf, APPLIED, refused, ReplicaBench, textOf, writeOf } from "./support.ts";

const DAMAGED = refused("damaged-record");

/** A bench on which `bad` has rotted, and is known to have. */
async function rotten(): Promise<ReplicaBench> {
  const bench = await ReplicaBench.open();
  bench.write(writeOf("bad", "lost", 5));
  await bench.settle();
  bench.rot("bad");
  const read = bench.read("bad");
  await bench.settle();
  expect(read).toEqual(DAMAGED);
  return bench;
}

async function valueOf(bench: ReplicaBench, key: string): Promise<unknown> {
  const answers = bench.read(key);
  await bench.settle();
  const [answer] = answers;
  return answer?.kind === "ok" ? textOf(answer.value) : answers;
}

const recordOf = (value: string | undefined, at: number): KvRecord =>
  writeOf("bad", value, at).record;

describe("a damaged record", () => {
  test("takes a write, durably, and answers no question for all that", async () => {
    const bench = await rotten();
    const answers = [bench.write(writeOf("bad", "new", 3)), bench.write(writeOf("good", "v"))];
    await bench.settle();
    expect(answers).toEqual([APPLIED, APPLIED]);
    const [read, learn] = [bench.read("bad"), bench.learn("bad")];
    await bench.settle();
    expect([read, learn]).toEqual([DAMAGED, DAMAGED]);
    expect(await valueOf(bench, "good")).toBe("v");
  });

  test("first met by a write, takes it in the same way", async () => {
    const bench = await ReplicaBench.open();
    bench.disk.overwrite(addressOf("a"), writeOf("b", "v").record.bytes);
    const answers = bench.write(writeOf("a", "newer", 9));
    await bench.settle();
    expect(answers).toEqual(APPLIED);
    expect(await valueOf(bench, "a")).toEqual(DAMAGED);
    expect(bench.telemetry.gauge("quarantinedRecords")).toBe(1);
  });

  test.each([["kill"], ["losePower"]] as const)(
    "stays one after a restart (%s), and what was written to it is not lost",
    async (end) => {
      const bench = await rotten();
      bench.write(writeOf("bad", "new", 3));
      await bench.settle();
      bench.disk[end]();
      const next = await ReplicaBench.open({}, bench.disk);
      expect(await valueOf(next, "bad")).toEqual(DAMAGED);
      expect(next.telemetry.count("damagedRecords", "unconfirmed")).toBe(1);
      next.prove("bad", recordOf("older", 2));
      expect(await valueOf(next, "bad")).toBe("new");
    },
  );

  test("what is written to it is merged, in any order", async () => {
    const bench = await rotten();
    for (const at of [3, 8, 4]) {
      bench.write(writeOf("bad", `at ${at}`, at));
      await bench.settle();
    }
    bench.prove("bad", recordOf("peers", 6));
    expect(await valueOf(bench, "bad")).toBe("at 8");
  });

  test("a block that was unreadable stays doubtful once it is written, or readable again", async () => {
    const bench = await ReplicaBench.open();
    bench.write(writeOf("bad", "lost", 5));
    await bench.settle();
    bench.disk.breakBlock(addressOf("bad"));
    expect(await valueOf(bench, "bad")).toEqual(DAMAGED);
    bench.disk.overwrite(addressOf("bad"), recordOf("older", 1).bytes);
    expect(await valueOf(bench, "bad")).toEqual(DAMAGED);
    bench.prove("bad", recordOf("peers", 6));
    expect(await valueOf(bench, "bad")).toBe("peers");
  });

  test("is logged once, without its key", async () => {
    const bench = await rotten();
    bench.write(writeOf("bad", "new", 8));
    await valueOf(bench, "bad");
    await valueOf(bench, "bad");
    const lines = bench.telemetry.lines.filter(({ level }) => level === "error");
    expect(lines).toHaveLength(1);
    expect(lines[0]?.fields).toMatchObject({ reason: "checksum", bucket: "default" });
    expect(JSON.stringify(lines)).not.toContain("bad");
    expect(bench.telemetry.count("damagedRecords", "checksum")).toBe(1);
  });

  test("is not served from memory, whoever read or wrote it last", async () => {
    const bench = await ReplicaBench.open({ recordCacheBytes: 1_000_000 });
    bench.disk.overwrite(addressOf("bad"), recordOf("fine", 1).bytes);
    const release = bench.hold("handOver");
    const early = bench.read("bad");
    await bench.settle();
    bench.disk.pause = () => Promise.resolve();
    bench.rot("bad");
    expect(await valueOf(bench, "bad")).toEqual(DAMAGED);
    release();
    await bench.settle();
    expect(early).toHaveLength(1);
    expect(await valueOf(bench, "bad")).toEqual(DAMAGED);
    bench.write(writeOf("bad", "new", 9));
    await bench.settle();
    expect(await valueOf(bench, "bad")).toEqual(DAMAGED);
    bench.prove("bad", undefined);
    expect(await valueOf(bench, "bad")).toBe("new");
  });
});

describe("what enough peers hold ends the quarantine", () => {
  test.each([
    ["newer than what was written meanwhile", 9, "peers"],
    ["older than that", 2, "written"],
  ])("%s", async (_name, at, expected) => {
    const bench = await rotten();
    bench.write(writeOf("bad", "written", 7));
    await bench.settle();
    expect(bench.telemetry.gauge("quarantinedRecords")).toBe(1);
    const answers = bench.prove("bad", recordOf("peers", at));
    await bench.settle();
    expect(answers).toEqual(APPLIED);
    expect(bench.telemetry.gauge("quarantinedRecords")).toBe(0);
    expect(await valueOf(bench, "bad")).toBe(expected);
    expect(bench.stored("bad")).toBe(expected);
    bench.write(writeOf("bad", "later", 10));
    await bench.settle();
    expect(await valueOf(bench, "bad")).toBe("later");
  });

  test("together with a write of the same batch", async () => {
    const bench = await rotten();
    bench.prove("bad", recordOf("peers", 6));
    const answers = bench.write(writeOf("bad", "written", 7));
    await bench.settle();
    expect(answers).toEqual(APPLIED);
    expect(bench.stored("bad")).toBe("written");
    expect(bench.calls().batch).toBe(2);
  });

  test("nothing at all: the damaged bytes go, and the key is absent", async () => {
    const bench = await rotten();
    bench.prove("bad", undefined);
    await bench.settle();
    expect(bench.disk.get(addressOf("bad"))).toBeUndefined();
    const read = bench.read("bad");
    await bench.settle();
    expect(read).toEqual([{ kind: "ok", value: undefined }]);
    expect(bench.telemetry.gauge("quarantinedRecords")).toBe(0);
  });

  test("nothing, while a write came: the write stays", async () => {
    const bench = await rotten();
    bench.write(writeOf("bad", "written", 7));
    await bench.settle();
    bench.prove("bad", undefined);
    expect(await valueOf(bench, "bad")).toBe("written");
  });

  test("for a record that is whole it is a merge like any other", async () => {
    const bench = await ReplicaBench.open();
    bench.write(writeOf("bad", "fine", 7));
    await bench.settle();
    for (const record of [undefined, recordOf("older", 1)]) bench.prove("bad", record);
    expect(await valueOf(bench, "bad")).toBe("fine");
    bench.prove("bad", recordOf("newer", 8));
    expect(await valueOf(bench, "bad")).toBe("newer");
  });

  test("a batch that fails lifts nothing", async () => {
    const bench = await rotten();
    bench.disk.fail("batch", { kind: "no-space" });
    bench.prove("bad", recordOf("peers", 6));
    await bench.settle();
    expect(bench.telemetry.gauge("quarantinedRecords")).toBe(1);
    expect(await valueOf(bench, "bad")).toEqual(DAMAGED);
  });

  test("the bytes are those that the peers hold, so that replicas are equal again", async () => {
    const bench = await rotten();
    const record = recordOf("peers", 6);
    bench.prove("bad", record);
    await bench.settle();
    const stored = bench.disk.get(addressOf("bad"));
    expect(stored !== undefined && equalBytes(stored, record.bytes)).toBe(true);
  });
});
