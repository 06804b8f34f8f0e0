import { describe, expect, test } from "vitest";
import { utf8, utf8Text } from "../../../src/core/bytes.ts";
import type { Storage, StorageWrite } from "../../../src/ports/storage.ts";
import { MemoryDisk } from "../../../src/testing/memory-storage.ts";
import { drain } from "../../support/virtual-cluster.ts";

const entry = (key: string, value: string): StorageWrite => ({
  key: utf8(key),
  value: utf8(value),
});

function put(storage: Storage, key: string, value: string, sync: boolean): Promise<void> {
  return storage.batch([entry(key, value)], { sync });
}

/** What the disk shows, as `key=value key=value` in byte order. */
function contents(disk: MemoryDisk): string {
  return disk
    .entries()
    .map(([key, value]) => `${utf8Text(key)}=${utf8Text(value)}`)
    .join(" ");
}

/** A promise of a process that died never settles; whoever asks sees that nothing came. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = (): void => {
    settled = true;
  };
  promise.then(note, note);
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  return settled;
}

describe("a loss of power", () => {
  test("takes what was not synced and nothing else", async () => {
    const disk = new MemoryDisk();
    const storage = await disk.open();
    await put(storage, "a", "1", true);
    await put(storage, "a", "2", false);
    await put(storage, "b", "1", false);
    expect(contents(disk)).toBe("a=2 b=1");
    disk.losePower();
    await disk.open();
    expect(contents(disk)).toBe("a=1");
  });

  test("takes nothing that a later fsync of the same log covered", async () => {
    const disk = new MemoryDisk();
    const storage = await disk.open();
    await put(storage, "a", "1", false);
    await put(storage, "b", "1", true);
    disk.losePower();
    await disk.open();
    expect(contents(disk)).toBe("a=1 b=1");
  });

  test("may leave the first of the unsynced batches, never a later one without them", async () => {
    for (const [kept, expected] of ["a=1", "a=2", "a=2 b=1", "a=2 b=1 c=1"].entries()) {
      const disk = new MemoryDisk();
      const storage = await disk.open();
      await put(storage, "a", "1", true);
      await put(storage, "a", "2", false);
      await put(storage, "b", "1", false);
      await put(storage, "c", "1", false);
      disk.losePower((unsynced) => {
        expect(unsynced).toBe(3);
        return kept;
      });
      await disk.open();
      expect(contents(disk)).toBe(expected);
    }
  });

  test("takes the unsynced tail of a log that was rotated away, though a newer log is synced", async () => {
    const disk = new MemoryDisk();
    const storage = await disk.open();
    await put(storage, "a", "1", true);
    await put(storage, "a", "2", false);
    disk.rotateLog();
    await put(storage, "b", "1", true);
    disk.losePower();
    await disk.open();
    expect(contents(disk)).toBe("a=1 b=1");
  });

  test("a surviving older write does not replace a newer synced one", async () => {
    const disk = new MemoryDisk();
    const storage = await disk.open();
    await put(storage, "a", "1", true);
    await put(storage, "a", "2", false);
    disk.rotateLog();
    await put(storage, "a", "3", true);
    disk.losePower((unsynced) => unsynced);
    await disk.open();
    expect(contents(disk)).toBe("a=3");
  });

  test("a log that was rotated away twice is on the disk", async () => {
    const disk = new MemoryDisk();
    const storage = await disk.open();
    await put(storage, "a", "1", true);
    await put(storage, "a", "2", false);
    disk.rotateLog();
    await put(storage, "b", "1", false);
    disk.rotateLog();
    disk.losePower();
    await disk.open();
    expect(contents(disk)).toBe("a=2");
  });

  test("before the first fsync leaves a database that does not open", async () => {
    const disk = new MemoryDisk();
    const storage = await disk.open();
    await put(storage, "a", "1", false);
    disk.losePower();
    await expect(disk.open()).rejects.toMatchObject({ code: "directory-damaged" });
    await expect(disk.open()).rejects.toMatchObject({ code: "directory-damaged" });
  });

  test("takes nothing from a database that was closed and opened before it", async () => {
    const disk = new MemoryDisk();
    const first = await disk.open();
    await put(first, "a", "1", false);
    await first.close();
    await disk.open();
    disk.losePower();
    await disk.open();
    expect(contents(disk)).toBe("a=1");
  });

  test("during an fsync may leave the batch or not, and its caller never hears", async () => {
    for (const kept of [0, 1]) {
      const disk = new MemoryDisk();
      const storage = await disk.open();
      await put(storage, "a", "1", true);
      disk.pause = (work) => (work === "sync" ? new Promise(() => {}) : Promise.resolve());
      const batch = put(storage, "a", "2", true);
      expect(await isSettled(batch)).toBe(false);
      expect(contents(disk)).toBe("a=1");
      disk.losePower(() => kept);
      disk.pause = () => Promise.resolve();
      await disk.open();
      expect(contents(disk)).toBe(kept === 0 ? "a=1" : "a=2");
      expect(await isSettled(batch)).toBe(false);
    }
  });
});

describe("the death of a process", () => {
  test("loses nothing that was written, not even unsynced", async () => {
    const disk = new MemoryDisk();
    const storage = await disk.open();
    await put(storage, "a", "1", false);
    disk.kill();
    await disk.open();
    expect(contents(disk)).toBe("a=1");
  });

  test("settles none of its calls, and those it still makes do nothing", async () => {
    const disk = new MemoryDisk();
    let goOn: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const storage = await disk.open();
    await put(storage, "a", "1", true);
    disk.pause = () => gate;
    const calls: Promise<unknown>[] = [put(storage, "a", "2", true), storage.getMany([utf8("a")])];
    disk.kill();
    calls.push(put(storage, "a", "3", true), storage.getMany([utf8("a")]), storage.close());
    goOn();
    for (const call of calls) expect(await isSettled(call)).toBe(false);
    await disk.open();
    expect(contents(disk)).toBe("a=1");
  });
});

describe("injected failures", () => {
  test("a batch that fails for good is nowhere, then or after a restart", async () => {
    const disk = new MemoryDisk();
    const storage = await disk.open();
    disk.fail("batch");
    await expect(put(storage, "a", "1", true)).rejects.toThrow("injected");
    await put(storage, "b", "1", true);
    await storage.close();
    await disk.open();
    expect(contents(disk)).toBe("b=1");
  });

  test("a batch that fails but was applied shows after the restart", async () => {
    const disk = new MemoryDisk();
    const storage = await disk.open();
    disk.fail("batch", { applied: true });
    await expect(put(storage, "a", "1", true)).rejects.toThrow("injected");
    expect(contents(disk)).toBe("");
    await storage.close();
    await disk.open();
    expect(contents(disk)).toBe("a=1");
  });

  test("as many calls of that kind fail as were asked for", async () => {
    const disk = new MemoryDisk();
    const storage = await disk.open();
    disk.fail("getMany", { times: 2 });
    await put(storage, "a", "1", true);
    await expect(storage.getMany([utf8("a")])).rejects.toThrow("injected");
    await expect(storage.getMany([utf8("a")])).rejects.toThrow("injected");
    expect(await storage.getMany([utf8("a")])).toHaveLength(1);
  });
});

describe("observation", () => {
  test("calls are counted, also those that fail", async () => {
    const disk = new MemoryDisk();
    const storage = await disk.open();
    disk.fail("batch");
    await expect(put(storage, "a", "1", true)).rejects.toThrow("injected");
    await put(storage, "a", "1", false);
    await storage.getMany([]);
    await storage.getMany([utf8("a")]);
    expect(disk.calls).toEqual({ getMany: 2, batch: 2, sync: 1 });
  });

  test("entries are in byte order", async () => {
    const disk = new MemoryDisk();
    const storage = await disk.open();
    const keys = [[0x80], [0x7f], [0xff, 0], [0xff], [], [0, 1], [0]];
    const writes = keys.map((key) => ({ key: Uint8Array.from(key), value: utf8("") }));
    await storage.batch(writes, { sync: true });
    expect(disk.entries().map(([key]) => [...key])).toEqual([
      [],
      [0],
      [0, 1],
      [0x7f],
      [0x80],
      [0xff],
      [0xff, 0],
    ]);
  });

  test("an fsync covers the log file that its batch went into, though the log was rotated meanwhile", async () => {
    const disk = new MemoryDisk();
    const storage = await disk.open();
    let release: () => void = () => {};
    disk.pause = (work) =>
      work === "sync" ? new Promise((resolve) => (release = resolve)) : Promise.resolve();
    const batch = storage.batch([{ key: utf8("a"), value: utf8("1") }], { sync: true });
    await drain();
    disk.rotateLog();
    release();
    await batch;
    disk.losePower();
    expect(contents(disk)).toBe("a=1");
  });

  test("rot changes a value where it lies: a write that is under way is newer than it", async () => {
    const disk = new MemoryDisk();
    const storage = await disk.open();
    await storage.batch([{ key: utf8("a"), value: utf8("1") }], { sync: true });
    let release: () => void = () => {};
    disk.pause = (work) =>
      work === "sync" ? new Promise((resolve) => (release = resolve)) : Promise.resolve();
    const batch = storage.batch([{ key: utf8("a"), value: utf8("2") }], { sync: true });
    await drain();
    disk.rot(utf8("a"), utf8("x"));
    expect(contents(disk)).toBe("a=x");
    release();
    await batch;
    disk.kill();
    await disk.open();
    expect(contents(disk)).toBe("a=2");
  });

  test("overwrite changes what readers and restarts find", async () => {
    const disk = new MemoryDisk();
    const storage = await disk.open();
    await put(storage, "a", "1", true);
    disk.overwrite(utf8("a"), utf8("x"));
    expect((await storage.getMany([utf8("a")])).map((v) => v && utf8Text(v))).toEqual(["x"]);
    disk.losePower();
    await disk.open();
    expect(contents(disk)).toBe("a=x");
  });

  test("a pause holds back what it is asked about, batches in their order", async () => {
    const disk = new MemoryDisk();
    const gates: (() => void)[] = [];
    disk.pause = () => new Promise((resolve) => void gates.push(resolve));
    const storage = await disk.open();
    const first = put(storage, "a", "1", false);
    const second = put(storage, "a", "2", false);
    expect(await isSettled(first)).toBe(false);
    expect(gates).toHaveLength(1);
    gates[0]?.();
    await first;
    expect(contents(disk)).toBe("a=1");
    expect(await isSettled(second)).toBe(false);
    gates[1]?.();
    await second;
    expect(contents(disk)).toBe("a=2");
  });
});

describe("a full disk", () => {
  const value = new Uint8Array(100);
  const sizes = async (storage: Storage, ...keys: string[]): Promise<readonly unknown[]> =>
    (await storage.getMany(keys.map(utf8))).map((found) => found?.byteLength);

  test("a batch that does not fit fails for lack of space and is not there; reads go on", async () => {
    const disk = new MemoryDisk();
    disk.capacityBytes = 250;
    const storage = await disk.open();
    await storage.batch([{ key: utf8("a"), value }], { sync: true });
    expect(await storage.space()).toEqual({ freeBytes: 149, totalBytes: 250 });
    const large = [
      { key: utf8("b"), value },
      { key: utf8("c"), value },
    ];
    await expect(storage.batch(large, { sync: true })).rejects.toMatchObject({ kind: "no-space" });
    expect(await sizes(storage, "a", "b")).toEqual([100, undefined]);
    await storage.reopen();
    expect(await sizes(storage, "a", "b")).toEqual([100, undefined]);
  });

  test("what is acknowledged behind the failed batch is seen, and gone at the next opening", async () => {
    for (const end of ["reopen", "kill", "losePower"] as const) {
      const disk = new MemoryDisk();
      let storage = await disk.open();
      await storage.batch([{ key: utf8("a"), value }], { sync: true });
      disk.capacityBytes = 150;
      await expect(storage.batch([{ key: utf8("b"), value }], { sync: true })).rejects.toThrow(
        "full",
      );
      disk.capacityBytes = 10_000;
      await storage.batch([{ key: utf8("c"), value }], { sync: true });
      expect(await sizes(storage, "c")).toEqual([100]);
      if (end === "reopen") await storage.reopen();
      else disk[end]();
      if (end !== "reopen") storage = await disk.open();
      expect(await sizes(storage, "a", "c")).toEqual([100, undefined]);
      await storage.batch([{ key: utf8("d"), value }], { sync: true });
      disk.losePower();
      storage = await disk.open();
      expect(await sizes(storage, "d")).toEqual([100]);
    }
  });

  test("without any room it does not open, nor open anew, until there is some", async () => {
    const disk = new MemoryDisk();
    const storage = await disk.open();
    await storage.batch([{ key: utf8("a"), value }], { sync: true });
    disk.capacityBytes = 101;
    await expect(storage.reopen()).rejects.toMatchObject({ kind: "no-space" });
    await expect(storage.getMany([utf8("a")])).rejects.toMatchObject({ kind: "io" });
    disk.kill();
    await expect(disk.open()).rejects.toMatchObject({ code: "disk-full" });
    disk.capacityBytes = 102;
    const again = await disk.open();
    expect(await sizes(again, "a")).toEqual([100]);
  });

  test("a batch that fails for lack of space when told to tears the log as well", async () => {
    const disk = new MemoryDisk();
    const storage = await disk.open();
    disk.fail("batch", { kind: "no-space" });
    await expect(storage.batch([{ key: utf8("a"), value }], { sync: true })).rejects.toMatchObject({
      kind: "no-space",
    });
    await storage.batch([{ key: utf8("b"), value }], { sync: true });
    await storage.reopen();
    expect(await sizes(storage, "a", "b")).toEqual([undefined, undefined]);
  });
});
