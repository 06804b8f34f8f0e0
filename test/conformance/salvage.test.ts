import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DEFAULT_BUCKET } from "../../src/core/bucket.ts";
import { hex, utf8 } from "../../src/core/bytes.ts";
import { stampOfMs } from "../../src/core/hlc.ts";
import { parseClusterId, parseKey, parseNodeId } from "../../src/core/ids.ts";
import { parseRecordKey, recordKey, recordKeyPrefix } from "../../src/core/record-key.ts";
import { decodeRecord } from "../../src/core/version/record.ts";
import { unconfirmedBytes } from "../../src/core/version/unconfirmed.ts";
import type { Storage } from "../../src/ports/storage.ts";
import { markForSalvage, openDatabase } from "../../src/node/io/database.ts";
import { diesCompacting } from "../../src/node/io/level-child.ts";
import { LevelStorage } from "../../src/node/io/level-storage.ts";
import { Directory } from "../../src/node/replica/directory.ts";
import { rescue } from "../../src/node/resync/rescue.ts";
import { MemoryDisk } from "../../src/testing/memory-storage.ts";
import { RecordingTelemetry } from "../../src/testing/recording-telemetry.ts";
import { SeededRng } from "../../src/testing/seeded-rng.ts";
import { putKeysOutOfOrder } from "../jepsen-like/nemesis/bit-rot.ts";
import { writeOf } from "../unit/node/support.ts";

const OWNER = { clusterId: parseClusterId("c1"), nodeId: parseNodeId("n1") };
/** Divisible by the number of runs that write them. */
const COUNT = 1_998;
const LEASE = stampOfMs(1_234);
const VALUE = "v".repeat(300);
const ALL = { after: recordKeyPrefix(0), before: recordKeyPrefix(256) };
const PAGE = { entriesMax: 100_000, bytesMax: 64 * 1024 * 1024 };

let data = "";
let telemetry = new RecordingTelemetry();

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), "quorate-salvage-"));
  telemetry = new RecordingTelemetry();
});

afterEach(() => rm(data, { recursive: true }));

function opened(options: { salvage?: boolean; nodeId?: string } = {}): Promise<LevelStorage> {
  const nodeId = parseNodeId(options.nodeId ?? "n1");
  return openDatabase(
    { data, salvage: options.salvage ?? false },
    {
      telemetry,
      rescue,
      ownership: (storage) => Directory.ownership({ ...OWNER, nodeId }, storage),
    },
  );
}

/** A database of records, written in `parts` runs so that it has tables and a log. */
async function fill(parts = 3): Promise<void> {
  for (let part = 0; part < parts; part++) {
    const storage = await opened();
    if (part === 0) await Directory.open(OWNER, { storage, rng: new SeededRng(1) });
    const writes = Array.from({ length: COUNT / parts }, (_, i) => {
      const { key, record } = writeOf(`key-${part}-${i}`, VALUE);
      return { key, value: record.bytes };
    });
    await storage.batch(writes, { sync: true });
    await storage.batch([Directory.leaseWrite(LEASE)], { sync: true });
    await storage.close();
  }
}

/** Every record that is there; a damaged one fails. */
async function records(storage: Storage): Promise<number> {
  const { entries, damaged } = await storage.scan(ALL, PAGE);
  expect(damaged).toBe(false);
  for (const { key, value } of entries) {
    const address = parseRecordKey(key);
    expect(address && decodeRecord(address, value).kind).toBe("record");
  }
  return entries.length;
}

async function filesOf(ending: RegExp): Promise<readonly string[]> {
  const names = await readdir(join(data, "db"));
  return names.filter((name) => ending.test(name)).map((name) => join(data, "db", name));
}

async function flip(file: string, at: (size: number) => number, bytes = 1): Promise<void> {
  const content = await readFile(file);
  const from = Math.max(0, Math.min(content.length - bytes, Math.floor(at(content.length))));
  for (let i = from; i < from + bytes; i++) content[i] = (content[i] ?? 0) ^ 0x10;
  await writeFile(file, content);
}

function salvaged(): Record<string, unknown> | undefined {
  return telemetry.lines.find(({ message }) => message === "the database was salvaged")?.fields;
}

describe("a database that is sound", () => {
  test("is opened as it is", async () => {
    await fill();
    const storage = await opened();
    expect(await records(storage)).toBe(COUNT);
    await storage.close();
    expect(salvaged()).toBeUndefined();
    expect(await readdir(data)).toEqual(["db"]);
  });

  test("is salvaged on demand, once: everything is kept, the identity is not", async () => {
    await fill();
    await markForSalvage(data);
    const storage = await opened();
    expect(await records(storage)).toBe(COUNT);
    expect(salvaged()).toEqual({ kept: COUNT, damaged: 0, gaps: 0, setAside: "db.damaged-1" });
    expect(await Directory.ownership(OWNER, storage)).toBe("unknown");
    const directory = await Directory.open(OWNER, { storage, rng: new SeededRng(2) });
    expect(directory.isNew).toBe(true);
    expect(directory.lease).toBe(LEASE);
    expect(directory.state.position).toBe(0);
    await storage.close();
    await (await opened()).close();
    expect((await readdir(data)).toSorted()).toEqual(["db", "db.damaged-1"]);
  });
});

describe("a database that LevelDB does not open is salvaged", () => {
  test.each(["CURRENT", "MANIFEST"])("%s is no more what it was", async (name) => {
    await fill();
    for (const file of await filesOf(new RegExp(`^${name}`))) await writeFile(file, "no more");
    const storage = await opened();
    expect(await records(storage)).toBe(COUNT);
    await storage.close();
    expect(salvaged()).toMatchObject({ kept: COUNT, setAside: "db.damaged-1" });
    expect((await readdir(data)).toSorted()).toEqual(["db", "db.damaged-1"]);
  });

  test("also twice, and the damaged ones are all kept until there are too many", async () => {
    await fill(1);
    for (let time = 1; time <= 8; time++) {
      await writeFile(join(data, "db", "CURRENT"), "no more");
      const storage = await opened();
      await Directory.open(OWNER, { storage, rng: new SeededRng(time) });
      await storage.close();
    }
    expect(await readdir(data)).toHaveLength(9);
    await writeFile(join(data, "db", "CURRENT"), "no more");
    await expect(opened()).rejects.toMatchObject({ code: "directory-damaged" });
    expect(await readdir(data)).toHaveLength(9);
  });
});

describe("what is rotten is left behind, what is sound is kept", () => {
  test("a flipped bit among the records of each table, 20 times", async () => {
    await fill();
    // Into tables.
    await (await opened()).close();
    let lost = 0;
    for (let round = 1; round <= 20; round++) {
      const copy = await mkdtemp(join(tmpdir(), "quorate-rot-"));
      const before = data;
      data = join(copy, "data");
      await mkdir(data);
      await copyFolder(join(before, "db"), join(data, "db"));
      for (const file of await filesOf(/\.ldb$/)) {
        await flip(file, (size) => (size * ((round * 37) % 80)) / 100);
      }
      await markForSalvage(data);
      const storage = await opened({ salvage: true });
      const kept = await records(storage);
      lost += COUNT - kept;
      expect(kept).toBeGreaterThan(0.9 * COUNT);
      await storage.close();
      await rm(copy, { recursive: true });
      data = before;
    }
    expect(lost).toBeGreaterThan(0);
  });

  test("a table without its index: the other tables are there", async () => {
    await fill();
    await (await opened()).close();
    const tables = await filesOf(/\.ldb$/);
    expect(tables.length).toBeGreaterThan(1);
    await flip(tables.at(-1) ?? "", (size) => size - 48, 48);
    const storage = await opened({ salvage: true });
    const kept = await records(storage);
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(COUNT);
    await storage.close();
  });

  test("a block of which nothing can be read: the others are there, and the gap is counted", async () => {
    await fill(1);
    await (await opened()).close();
    const [table = ""] = await filesOf(/\.ldb$/);
    await flip(table, (size) => size / 2, 60);
    await markForSalvage(data);
    const storage = await opened();
    const kept = await records(storage);
    expect(kept).toBeGreaterThan(1_900);
    expect(kept).toBeLessThan(COUNT);
    expect(salvaged()).toMatchObject({ kept, gaps: 1 });
    await storage.close();
  });

  test("a record with a flipped bit is not kept, one that waits to be confirmed is, as it is", async () => {
    await fill();
    const { key, record } = writeOf("doubtful", "v");
    const rotten = writeOf("rotten", "v");
    const storage = await opened();
    const doubtful = { key, value: unconfirmedBytes(record) };
    const flipped = Uint8Array.from(rotten.record.bytes);
    flipped[20] = (flipped[20] ?? 0) ^ 1;
    await storage.batch([doubtful, { key: rotten.key, value: flipped }], { sync: true });
    await storage.close();
    await markForSalvage(data);
    const salvage = await opened();
    expect(salvaged()).toMatchObject({ kept: COUNT + 1, damaged: 1, gaps: 0 });
    const found = await salvage.getMany([key, rotten.key]);
    expect(found.map((bytes) => bytes && hex(bytes))).toEqual([hex(doubtful.value), undefined]);
    await salvage.close();
  });

  test("a log cut short or rotten: what came before is there", async () => {
    await fill(1);
    const [log = ""] = await filesOf(/\.log$/);
    const content = await readFile(log);
    await writeFile(log, content.subarray(0, content.length - 20));
    const storage = await opened({ salvage: true });
    expect(await records(storage)).toBe(COUNT);
    await storage.close();
  });
});

describe("an interrupted salvage is taken up again", () => {
  test.each([
    ["before anything was copied", async () => rename(join(data, "db"), join(data, "db.damaged"))],
    [
      "while it copied",
      async () => {
        await rename(join(data, "db"), join(data, "db.damaged"));
        const half = await LevelStorage.open(join(data, "db.salvaging"));
        const { key, record } = writeOf("key-0-0", "half");
        await half.batch([{ key, value: record.bytes }], { sync: true });
        await half.close();
        await markForSalvage(data);
      },
    ],
  ])("%s", async (_name, interrupt) => {
    await fill();
    await interrupt();
    const storage = await opened();
    expect(await records(storage)).toBe(COUNT);
    const at = recordKey(DEFAULT_BUCKET, parseKey(utf8("key-0-0")));
    const [bytes] = await storage.getMany([at]);
    expect(bytes).toEqual(Buffer.from(writeOf("key-0-0", VALUE).record.bytes));
    await storage.close();
    expect((await readdir(data)).toSorted()).toEqual(["db", "db.damaged-1"]);
  });

  test("when only the damaged database had not been put away yet", async () => {
    await fill();
    await copyFolder(join(data, "db"), join(data, "db.damaged"));
    const storage = await opened();
    await storage.close();
    expect(salvaged()).toBeUndefined();
    expect((await readdir(data)).toSorted()).toEqual(["db", "db.damaged-1"]);
  });
});

describe("whose it is", () => {
  test("another node's is not salvaged and keeps its name", async () => {
    await fill();
    await markForSalvage(data);
    const refusal = opened({ nodeId: "n2", salvage: true });
    await expect(refusal).rejects.toMatchObject({ code: "directory-refused" });
    expect((await readdir(data)).toSorted()).toEqual(["db", "salvage"]);
  });

  test("one that does not say is salvaged only on demand", async () => {
    const storage = await opened();
    const { key, record } = writeOf("k", "v");
    await storage.batch([{ key, value: record.bytes }], { sync: true });
    await storage.close();
    await markForSalvage(data);
    await expect(opened()).rejects.toMatchObject({ code: "directory-damaged" });
    expect((await readdir(data)).toSorted()).toEqual(["db", "salvage"]);
    const kept = await opened({ salvage: true });
    expect(await records(kept)).toBe(1);
    await kept.close();
  });

  test("one that another process uses is left alone", async () => {
    await fill();
    const user = await opened();
    await expect(opened({ salvage: true })).rejects.toMatchObject({ code: "directory-in-use" });
    expect(await readdir(data)).toEqual(["db"]);
    expect(await records(user)).toBe(COUNT);
    await user.close();
  });
});

async function copyFolder(from: string, to: string): Promise<void> {
  await mkdir(to);
  for (const name of await readdir(from)) {
    await writeFile(join(to, name), await readFile(join(from, name)));
  }
}

describe("a database whose keys have rotted out of order, at which LevelDB aborts its process", () => {
  /** As the run before left it: dead in the middle of a compaction. */
  async function fillAndAbort(): Promise<readonly string[]> {
    await fill();
    await (await opened()).close();
    const flips = putKeysOutOfOrder(join(data, "db"), "key-");
    expect(await diesCompacting(join(data, "db"))).toBe(true);
    return flips;
  }

  /** A table spells out one key in so many; the others of a run share its beginning, and its damage. */
  const KEYS_SPELLED = 16;

  test("is salvaged in parts by the next start: all but the rotten keys is there", async () => {
    const { length: rotten } = await fillAndAbort();
    expect(rotten).toBeGreaterThan(0);
    const storage = await opened();
    const kept = await records(storage);
    expect(kept).toBeLessThan(COUNT);
    expect(kept).toBeGreaterThanOrEqual(COUNT - rotten * KEYS_SPELLED);
    const directory = await Directory.open(OWNER, { storage, rng: new SeededRng(2) });
    expect([directory.isNew, directory.lease]).toEqual([true, LEASE]);
    await storage.close();
    expect(await diesCompacting(join(data, "db"))).toBe(false);
    expect((await readdir(data)).toSorted()).toEqual(["db", "db.damaged-1"]);
    await (await opened()).close();
  });

  test("is salvaged so also when the start that began it was interrupted", async () => {
    const { length: rotten } = await fillAndAbort();
    await markForSalvage(data, "in parts");
    await rename(join(data, "db"), join(data, "db.damaged"));
    await mkdir(join(data, "db.parts", "000005.ldb"), { recursive: true });
    const storage = await opened();
    expect(await records(storage)).toBeGreaterThanOrEqual(COUNT - rotten * KEYS_SPELLED);
    await storage.close();
  });

  test("of another node is refused, and stays as it is", async () => {
    await fillAndAbort();
    await expect(opened({ nodeId: "n2" })).rejects.toMatchObject({ code: "directory-refused" });
    expect((await readdir(data)).toSorted()).toEqual(["db", "salvage"]);
  });
});

test("a database whose process was killed while it compacted, and that is sound, is opened as it is", async () => {
  await fill();
  const log = join(data, "db", "LOG");
  await writeFile(log, "2026/11/25-03:00:00.000000 7f00 Compacting 4@0 + 0@1 files\n");
  const storage = await opened();
  expect(await records(storage)).toBe(COUNT);
  await storage.close();
  expect(salvaged()).toBeUndefined();
});

test("an older version of a key, from another part of the database, gives way to the newer one", async () => {
  const [older, newer] = [writeOf("k", "older", 1, "a"), writeOf("k", "newer", 2, "b")];
  for (const order of [
    [older, newer],
    [newer, older],
  ]) {
    const to = await new MemoryDisk().open();
    for (const { key, record } of order) {
      const from = await new MemoryDisk().open();
      await from.batch([{ key, value: record.bytes }], { sync: true });
      await rescue({ from, to });
    }
    const [bytes] = await to.getMany([older.key]);
    const record = decodeRecord(older.key, bytes ?? utf8(""));
    expect(record).toMatchObject({ kind: "record", stamp: newer.record.stamp });
  }
});
