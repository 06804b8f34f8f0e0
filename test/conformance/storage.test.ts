import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { utf8 } from "../../src/core/bytes.ts";
import { LevelStorage } from "../../src/node/io/level-storage.ts";
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
