import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
