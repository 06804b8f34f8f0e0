import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { equalBytes, utf8, utf8Text } from "../../src/core/bytes.ts";
import { LevelStorage } from "../../src/node/io/level-storage.ts";
import { storageErrorKind } from "../../src/ports/storage.ts";
import { MemoryDisk } from "../../src/testing/memory-storage.ts";
import { storageSuite } from "./storage.suite.ts";

storageSuite("memory", async () => {
  const disk = new MemoryDisk();
  return { open: () => disk.open(), remove: () => Promise.resolve() };
});

storageSuite("LevelDB", async () => {
  const folder = await mkdtemp(join(tmpdir(), "quorate-storage-"));
  return {
    open: () => LevelStorage.open(join(folder, "db")),
    remove: () => rm(folder, { recursive: true }),
  };
});

test("a directory that LevelDB cannot open is directory-damaged, and says where it is", async () => {
  const folder = await mkdtemp(join(tmpdir(), "quorate-storage-"));
  const path = join(folder, "db");
  const storage = await LevelStorage.open(path);
  await storage.batch([{ key: utf8("a"), value: utf8("1") }], { sync: true });
  await storage.close();
  await writeFile(join(path, "CURRENT"), "no manifest");
  const error: unknown = await LevelStorage.open(path).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ name: "KvError", code: "directory-damaged" });
  expect(String(error)).toContain(path);
  await rm(folder, { recursive: true });
});

describe("damaged blocks of a table", () => {
  const keys = Array.from({ length: 2_000 }, (_, i) => utf8(`key-${String(i).padStart(4, "0")}`));
  const values = keys.map((_, i) => utf8(`${"value ".repeat(10)}${i}`));

  test("LevelDB: keys of the block are corruption, one by one; all others are read as before", async () => {
    const folder = await mkdtemp(join(tmpdir(), "quorate-storage-"));
    const path = join(folder, "db");
    const first = await LevelStorage.open(path);
    const writes = keys.map((key, i) => ({ key, value: values[i] }));
    await first.batch(writes, { sync: true });
    // What the log holds goes into a table when the directory is opened.
    await first.reopen();
    await first.close();
    await breakTable(path);
    const storage = await LevelStorage.open(path);
    await expect(storage.getMany(keys)).rejects.toMatchObject({
      name: "StorageError",
      kind: "corruption",
    });
    const ends = new Map<string, number>();
    for (const [i, key] of keys.entries()) {
      const end = await storage
        .getMany([key])
        .then(([found]) => (found && equalBytes(found, values[i] ?? key) ? "as before" : "wrong"))
        .catch(storageErrorKind);
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    expect([...ends.keys()].toSorted()).toEqual(["as before", "corruption"]);
    expect(ends.get("corruption")).toBeLessThan(keys.length / 4);
    await storage.close();
    await rm(folder, { recursive: true });
  });

  test("memory: the same, until the key is written anew", async () => {
    const disk = new MemoryDisk();
    const storage = await disk.open();
    const [a, b] = [utf8("a"), utf8("b")];
    await storage.batch(
      [a, b].map((key) => ({ key, value: key })),
      { sync: true },
    );
    disk.breakBlock(a);
    await expect(storage.getMany([b, a])).rejects.toMatchObject({ kind: "corruption" });
    expect((await storage.getMany([b])).map((found) => found && utf8Text(found))).toEqual(["b"]);
    await storage.batch([{ key: a, value: utf8("new") }], { sync: true });
    const found = await storage.getMany([a, b]);
    expect(found.map((value) => value && utf8Text(value))).toEqual(["new", "b"]);
  });
});

/** Overwrites some bytes in the middle of the first table. */
async function breakTable(path: string): Promise<void> {
  const tables = (await readdir(path)).filter((name) => name.endsWith(".ldb"));
  const table = join(path, tables[0] ?? "no table");
  const bytes = await readFile(table);
  const middle = bytes.byteLength >> 1;
  await writeFile(table, bytes.fill(0xff, middle, middle + 16));
}
test.each([
  ["in one page", { entriesMax: 10_000, bytesMax: 16 * 1024 * 1024 }],
  ["in pages of 150 entries", { entriesMax: 150, bytesMax: 16 * 1024 * 1024 }],
  ["in pages of 30 kB", { entriesMax: 10_000, bytesMax: 30_000 }],
])("a scan passes over a bad block of LevelDB and says so, %s", async (_name, bounds) => {
  const folder = await mkdtemp(join(tmpdir(), "quorate-storage-"));
  const path = join(folder, "db");
  const written = await LevelStorage.open(path);
  const keys = Array.from({ length: 1_000 }, (_, i) => `k${String(i).padStart(4, "0")}`);
  const value = utf8("x".repeat(400));
  await written.batch(
    keys.map((key) => ({ key: utf8(key), value })),
    { sync: true },
  );
  await written.close();
  // Opening moves what was written from the log into a table.
  await (await LevelStorage.open(path)).close();
  const table = (await readdir(path)).find((name) => name.endsWith(".ldb")) ?? "";
  const bytes = await readFile(join(path, table));
  bytes.fill(0xa5, bytes.length / 2, bytes.length / 2 + 40);
  await writeFile(join(path, table), bytes);

  const storage = await LevelStorage.open(path);
  const found: (string | undefined)[] = [];
  let after = utf8("a");
  let damagedPages = 0;
  for (let ended = false; !ended;) {
    const page = await storage.scan({ after, before: utf8("z") }, bounds);
    found.push(...page.entries.map(({ key }) => utf8Text(key)));
    after = page.entries.at(-1)?.key ?? after;
    if (page.damaged) damagedPages += 1;
    ended = page.ended;
  }
  await storage.close();
  await rm(folder, { recursive: true });
  expect(damagedPages).toBeGreaterThan(0);
  const lost = keys.filter((key) => !found.includes(key));
  expect(lost.length).toBeGreaterThan(0);
  expect(lost.length).toBeLessThan(40);
  expect(found).toEqual(keys.filter((key) => !lost.includes(key)));
});
