import { describe, expect, test } from "vitest";
import { utf8 } from "../../../src/core/bytes.ts";
import { MemoryDisk } from "../../../src/testing/memory-storage.ts";
import {
  addressOf,
  APPLIED,
  DISK_POLL_MS,
  refused,
  ReplicaBench,
  textOf,
  unknown,
  writeOf,
} from "./support.ts";

const WATERMARK = 10_000;
const NO_SPACE = refused("no-space");
const KIB = "x".repeat(1_000);

/** A bench whose disk has so much free beyond the watermark of 10,000 bytes. */
async function benchWith(freeBytes: number, opts: { recordCacheBytes?: number } = {}) {
  const disk = new MemoryDisk();
  disk.capacityBytes = freeBytes;
  return ReplicaBench.open({ diskFreeBytesMin: WATERMARK, ...opts }, disk);
}

async function readOf(bench: ReplicaBench, key: string): Promise<unknown> {
  const answers = bench.read(key);
  await bench.settle();
  const [answer] = answers;
  return answer?.kind === "ok" ? textOf(answer.value) : answers;
}

describe("below the watermark", () => {
  test("a node that opens on a nearly full disk takes no write of a client at all", async () => {
    const bench = await benchWith(WATERMARK - 1);
    expect(bench.write(writeOf("k", "v"))).toEqual(NO_SPACE);
    expect(bench.space.readOnly).toBe(true);
    expect(bench.telemetry.count("refused", "diskFreeBytesMin")).toBe(1);
    expect(bench.telemetry.gauge("readOnly")).toBe(1);
    expect(bench.telemetry.gauge("diskFree")).toBe(WATERMARK - 1);
  });

  test("repairs and the node's own entries still land, down to a quarter of it", async () => {
    const bench = await benchWith(WATERMARK - 1);
    const repair = bench.write(writeOf("k", "v"), { purpose: "repair" });
    const own = bench.put({ key: utf8("mine"), value: utf8("x") }).then(() => "written");
    await bench.settle();
    expect(repair).toEqual(APPLIED);
    expect(await own).toBe("written");
    expect(await readOf(bench, "k")).toBe("v");
    bench.disk.capacityBytes = 2_000;
    await bench.time.advance(DISK_POLL_MS);
    expect(bench.write(writeOf("k", "w", 2), { purpose: "repair" })).toEqual(NO_SPACE);
    await expect(bench.put({ key: utf8("mine"), value: utf8("y") })).rejects.toMatchObject({
      kind: "no-space",
    });
    expect(await readOf(bench, "k")).toBe("v");
    expect(bench.storageErrors).toEqual([]);
  });

  test("what is written between two measurements counts, before the disk is full", async () => {
    const bench = await benchWith(WATERMARK + 20_000);
    const answers: unknown[] = [];
    for (let i = 0; i < 30; i++) {
      const answer = bench.write(writeOf(`key-${i}`, KIB));
      await bench.settle();
      answers.push(...answer);
    }
    expect(answers[0]).toEqual(APPLIED[0]);
    expect(answers.at(-1)).toEqual(NO_SPACE[0]);
    expect(bench.disk.freeBytes).toBeGreaterThanOrEqual(WATERMARK);
    expect(bench.time.now()).toBe(0);
  });

  test("it is measured every diskPollMs, and ends with a quarter more than the watermark", async () => {
    const bench = await benchWith(WATERMARK - 1);
    bench.disk.capacityBytes = 1.25 * WATERMARK;
    await bench.time.advance(DISK_POLL_MS - 1);
    expect(bench.write(writeOf("k", "v"))).toEqual(NO_SPACE);
    await bench.time.advance(1);
    const answers = bench.write(writeOf("k", "v"));
    await bench.settle();
    expect(answers).toEqual(APPLIED);
    expect(bench.telemetry.gauge("readOnly")).toBe(0);
    const said = bench.telemetry.lines.map(({ level, message }) => `${level}: ${message}`);
    expect(said).toEqual([
      "warn: the disk is nearly full: the node takes no writes",
      "info: the disk has room again: the node takes writes",
    ]);
    expect(bench.recoveries).toBe(0);
  });

  test("a measurement that fails changes nothing and is said once", async () => {
    const bench = await benchWith(1_000_000);
    await bench.time.advance(DISK_POLL_MS);
    bench.disk.failSpace = true;
    await bench.time.advance(5 * DISK_POLL_MS);
    expect(bench.space.readOnly).toBe(false);
    expect(bench.telemetry.lines).toHaveLength(1);
    bench.disk.failSpace = false;
    bench.disk.capacityBytes = WATERMARK - 1;
    await bench.time.advance(DISK_POLL_MS);
    expect(bench.space.readOnly).toBe(true);
  });

  test("once stopped it measures no more", async () => {
    const bench = await benchWith(1_000_000);
    await bench.time.settled(bench.space.stop());
    bench.disk.capacityBytes = 0;
    await bench.time.advance(10 * DISK_POLL_MS);
    expect(bench.space.readOnly).toBe(false);
  });
});

describe("a batch that fails for lack of space", () => {
  /** Its disk was filled by somebody else since it was measured. */
  async function filled(opts: { recordCacheBytes?: number } = {}): Promise<ReplicaBench> {
    const bench = await benchWith(1_000_000, opts);
    bench.write(writeOf("before", "v"));
    await bench.settle();
    bench.disk.capacityBytes = 500;
    const release = bench.hold("batch");
    const atDisk = bench.write(writeOf("at the disk", KIB));
    await bench.settle();
    const waiting = bench.write(writeOf("waiting", "v"));
    const put = bench.put({ key: utf8("mine"), value: utf8("x") }).catch((error: unknown) => error);
    release();
    await bench.settle();
    expect(atDisk).toEqual(unknown("storage-error"));
    expect(waiting).toEqual(NO_SPACE);
    expect(await put).toMatchObject({ kind: "no-space" });
    return bench;
  }

  test("leaves its writers in doubt and refuses the others; reads go on, the node does not end", async () => {
    const bench = await filled();
    expect(bench.write(writeOf("later", "v"))).toEqual(NO_SPACE);
    expect(bench.write(writeOf("later", "v"), { purpose: "repair" })).toEqual(NO_SPACE);
    expect(await readOf(bench, "before")).toBe("v");
    expect(bench.storageErrors).toEqual([]);
    expect(bench.space.readOnly).toBe(true);
  });

  test("nothing is written, however much room there is, before the storage was opened anew", async () => {
    const bench = await filled();
    bench.disk.capacityBytes = 1_000_000;
    expect(bench.write(writeOf("early", "v"))).toEqual(NO_SPACE);
    expect(bench.recoveries).toBe(0);
    await bench.time.advance(DISK_POLL_MS);
    expect(bench.recoveries).toBe(1);
    const answers = bench.write(writeOf("k", "v"));
    await bench.settle();
    expect(answers).toEqual(APPLIED);
    bench.disk.losePower();
    await bench.disk.open();
    expect([bench.stored("k"), bench.stored("before"), bench.stored("early")]).toEqual([
      "v",
      "v",
      undefined,
    ]);
  });

  test("it waits for as long as it takes, and for more than the watermark", async () => {
    const bench = await filled();
    for (const capacity of [0, 500, WATERMARK, 1.2 * WATERMARK]) {
      bench.disk.capacityBytes = capacity;
      await bench.time.advance(60 * DISK_POLL_MS);
      expect([capacity, bench.recoveries]).toEqual([capacity, 0]);
    }
    bench.disk.capacityBytes = 2 * WATERMARK;
    await bench.time.advance(DISK_POLL_MS);
    expect(bench.recoveries).toBe(1);
  });

  test("a second batch that fails so is waited for in the same way", async () => {
    const bench = await filled();
    for (let round = 1; round <= 3; round++) {
      bench.disk.capacityBytes = 1_000_000;
      await bench.time.advance(DISK_POLL_MS);
      expect(bench.recoveries).toBe(round);
      bench.disk.fail("batch", { kind: "no-space" });
      const answers = bench.write(writeOf(`k${round}`, "v"));
      await bench.settle();
      expect(answers).toEqual(unknown("storage-error"));
    }
    expect(bench.storageErrors).toEqual([]);
  });

  test("the failed write may be there after all: what was remembered is forgotten", async () => {
    const bench = await benchWith(1_000_000, { recordCacheBytes: 1_000_000 });
    bench.write(writeOf("k", "before"));
    await bench.settle();
    bench.disk.fail("batch", { kind: "no-space", applied: true });
    const answers = bench.write(writeOf("k", "perhaps", 2));
    await bench.settle();
    expect(answers).toEqual(unknown("storage-error"));
    expect(await readOf(bench, "k")).toBe("before");
    const release = bench.hold("handOver");
    const none = bench.read("other");
    await bench.settle();
    await bench.time.advance(DISK_POLL_MS);
    release();
    await bench.settle();
    expect(none).toHaveLength(1);
    expect(bench.recoveries).toBe(1);
    expect(await readOf(bench, "k")).toBe("perhaps");
  });

  test("reads that come while it is opened anew are answered afterwards", async () => {
    const bench = await filled();
    bench.disk.capacityBytes = 1_000_000;
    const release = bench.hold("reopen");
    await bench.time.advance(DISK_POLL_MS);
    const read = bench.read("before");
    await bench.settle();
    expect(read).toEqual([]);
    expect(bench.write(writeOf("k", "v"))).toEqual(NO_SPACE);
    release();
    await bench.settle();
    expect(read).toHaveLength(1);
    expect(await readOf(bench, "before")).toBe("v");
  });

  test("a storage that does not open for another reason ends the node", async () => {
    const bench = await filled();
    bench.disk.capacityBytes = 1_000_000;
    bench.failRecovery = new Error("broken");
    await bench.time.advance(DISK_POLL_MS);
    expect(bench.storageErrors.map(String)).toEqual(["Error: broken"]);
    expect(bench.write(writeOf("k", "v"))).toEqual(NO_SPACE);
    await bench.time.advance(60 * DISK_POLL_MS);
    expect(bench.storageErrors).toHaveLength(1);
  });

  test("a node that is closed before there is room cannot prove a clean stop", async () => {
    const bench = await filled();
    await bench.time.settled(bench.space.stop());
    expect(await bench.time.settled(bench.close())).toBe(false);
    const recovered = await filled();
    recovered.disk.capacityBytes = 1_000_000;
    await recovered.time.advance(DISK_POLL_MS);
    expect(await recovered.time.settled(recovered.close())).toBe(true);
  });

  test("a damaged record stays quarantined over it", async () => {
    const bench = await filled();
    bench.rot("before");
    expect(await readOf(bench, "before")).toEqual(refused("damaged-record"));
    bench.disk.capacityBytes = 1_000_000;
    await bench.time.advance(DISK_POLL_MS);
    expect(await readOf(bench, "before")).toEqual(refused("damaged-record"));
    expect(bench.quarantine.has(addressOf("before"))).toBe(true);
  });
});
