import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hex, utf8, utf8Text } from "../../src/core/bytes.ts";
import type { ScanBounds, Storage, StorageWrite } from "../../src/ports/storage.ts";

/** A place for one storage, which outlives every opening of it. */
export interface StorageHome {
  /** @throws KvError `directory-in-use` while it is open. */
  open(): Promise<Storage>;
  remove(): Promise<void>;
}

const MiB = 1024 * 1024;
const CLOSED = { name: "StorageError", kind: "io" };
const SYNC = { sync: true };

/** The contract of Storage. */
export function storageSuite(name: string, makeHome: () => Promise<StorageHome>): void {
  describe(`storage: ${name}`, () => {
    let home: StorageHome;
    let storage: Storage;

    beforeEach(async () => {
      home = await makeHome();
      storage = await home.open();
    });

    afterEach(async () => {
      await storage.close();
      await home.remove();
    });

    async function reopen(): Promise<void> {
      await storage.close();
      storage = await home.open();
    }

    async function textOf(key: Uint8Array): Promise<string | undefined> {
      const [value] = await storage.getMany([key]);
      return value === undefined ? undefined : hex(value);
    }

    /** The pages of a range as texts. */
    async function scanned(from: string, to: string, bounds: ScanBounds): Promise<string[]> {
      const pages: string[] = [];
      let after = utf8(from);
      for (;;) {
        const page = await storage.scan({ after, before: utf8(to) }, bounds);
        const texts = page.entries.map(({ key, value }) => `${utf8Text(key)}=${utf8Text(value)}`);
        pages.push(texts.join() + (page.ended ? " (ended)" : ""));
        const last = page.entries.at(-1)?.key;
        if (page.ended || last === undefined) return pages;
        after = last;
      }
    }

    test("getMany answers in the order of its keys, undefined for what is not there", async () => {
      await storage.batch([entry("a", "1"), entry("b", "2")], { sync: false });
      const values = await storage.getMany([utf8("b"), utf8("none"), utf8("a")]);
      expect(values.map((value) => value && hex(value))).toEqual([
        hex(utf8("2")),
        undefined,
        hex(utf8("1")),
      ]);
    });

    test("getMany answers a key that is asked for twice twice, and nothing for no keys", async () => {
      await storage.batch([entry("a", "1")], { sync: false });
      const values = await storage.getMany([utf8("a"), utf8("x"), utf8("a"), utf8("x")]);
      expect(values.map((value) => value !== undefined)).toEqual([true, false, true, false]);
      expect(await storage.getMany([])).toEqual([]);
    });

    test("what is handed out belongs to the caller", async () => {
      await storage.batch([entry("a", "value"), entry("b", "other")], { sync: true });
      const [first, again] = await storage.getMany([utf8("a"), utf8("a")]);
      first?.fill(0);
      expect(again && hex(again)).toBe(hex(utf8("value")));
      expect(await textOf(utf8("a"))).toBe(hex(utf8("value")));
      await reopen();
      expect(await textOf(utf8("a"))).toBe(hex(utf8("value")));
    });

    test("of two writes of one key in a batch the later wins", async () => {
      const writes = [entry("a", "1"), entry("b", "x"), entry("a", "2"), entry("a", "3")];
      await storage.batch(writes, { sync: true });
      expect(await textOf(utf8("a"))).toBe(hex(utf8("3")));
      await reopen();
      expect(await textOf(utf8("a"))).toBe(hex(utf8("3")));
    });

    test("a batch replaces what was there and leaves the rest", async () => {
      await storage.batch([entry("a", "1"), entry("b", "1")], { sync: false });
      await storage.batch([entry("a", "2")], { sync: true });
      expect(await textOf(utf8("a"))).toBe(hex(utf8("2")));
      expect(await textOf(utf8("b"))).toBe(hex(utf8("1")));
    });

    test("a write without a value removes the key, in its place among the others", async () => {
      await storage.batch([entry("a", "1"), entry("b", "1")], { sync: false });
      await storage.batch([entry("a", "2"), gone("a"), gone("b"), entry("b", "2"), gone("x")], {
        sync: true,
      });
      for (let opening = 0; opening < 2; opening++) {
        expect(await textOf(utf8("a"))).toBeUndefined();
        expect(await textOf(utf8("b"))).toBe(hex(utf8("2")));
        await reopen();
      }
    });

    test("there is room on the disk, and not more than it is large", async () => {
      const { freeBytes, totalBytes } = await storage.space();
      expect(freeBytes).toBeGreaterThan(0);
      expect(freeBytes).toBeLessThanOrEqual(totalBytes);
    });

    test("opened anew it holds what it held and takes writes", async () => {
      await storage.batch([entry("a", "1")], { sync: true });
      await storage.batch([entry("b", "2")], { sync: false });
      await storage.reopen();
      await storage.batch([entry("c", "3")], { sync: true });
      for (let opening = 0; opening < 2; opening++) {
        expect(await textOf(utf8("a"))).toBe(hex(utf8("1")));
        expect(await textOf(utf8("b"))).toBe(hex(utf8("2")));
        expect(await textOf(utf8("c"))).toBe(hex(utf8("3")));
        await reopen();
      }
    });

    test("calls that come while it is opened anew wait for it", async () => {
      await storage.batch([entry("a", "1")], { sync: true });
      const before = textOf(utf8("a"));
      const reopened = Promise.all([storage.reopen(), storage.reopen()]);
      const write = storage.batch([entry("b", "2")], { sync: true });
      const reads = Promise.all([textOf(utf8("a")), textOf(utf8("none"))]);
      await reopened;
      await write;
      expect(await before).toBe(hex(utf8("1")));
      expect(await reads).toEqual([hex(utf8("1")), undefined]);
      expect(await textOf(utf8("b"))).toBe(hex(utf8("2")));
    });

    test("it may be closed while it is opened anew", async () => {
      await storage.batch([entry("a", "1")], { sync: true });
      await Promise.all([storage.reopen(), storage.close()]);
      await expect(storage.getMany([utf8("a")])).rejects.toMatchObject(CLOSED);
      storage = await home.open();
      expect(await textOf(utf8("a"))).toBe(hex(utf8("1")));
    });

    test("an empty batch is fine, synced or not", async () => {
      await expect(storage.batch([], { sync: false })).resolves.toBeUndefined();
      await expect(storage.batch([], { sync: true })).resolves.toBeUndefined();
    });

    test("values of 0 bytes and of 1 MiB come back byte for byte, after a reopen too", async () => {
      const large = pattern(MiB);
      const writes = [
        { key: utf8("empty"), value: new Uint8Array(0) },
        { key: utf8("large"), value: large },
      ];
      await storage.batch(writes, { sync: true });
      for (let opening = 0; opening < 2; opening++) {
        const [empty, found] = await storage.getMany([utf8("empty"), utf8("large")]);
        expect(empty).toHaveLength(0);
        expect(found && Buffer.compare(found, large)).toBe(0);
        await reopen();
      }
    });

    test("one batch takes 8 values of 1 MiB", async () => {
      const writes = Array.from({ length: 8 }, (_, i) => ({
        key: utf8(`large-${i}`),
        value: pattern(MiB, i),
      }));
      await storage.batch(writes, { sync: true });
      const values = await storage.getMany(writes.map(({ key }) => key));
      for (const [i, value] of values.entries()) {
        expect(value && Buffer.compare(value, pattern(MiB, i))).toBe(0);
      }
    });

    test("views into larger buffers are taken as they are", async () => {
      const buffer = utf8("..key..value..");
      const write = { key: buffer.subarray(2, 5), value: buffer.subarray(7, 12) };
      await storage.batch([write], { sync: true });
      expect(await textOf(utf8("key"))).toBe(hex(utf8("value")));
      const [found] = await storage.getMany([utf8("[key]").subarray(1, 4)]);
      expect(found && hex(found)).toBe(hex(utf8("value")));
    });

    test("keys are bytes: 0x00, 0xff, invalid UTF-8 and prefixes are all different keys", async () => {
      const keys = [[0], [0, 0], [255], [255, 254], [0xc3], [0xc3, 0x28], [97], [97, 0]].map((k) =>
        Uint8Array.from(k),
      );
      const writes = keys.map((key, i) => ({ key, value: Uint8Array.of(i) }));
      await storage.batch(writes, { sync: true });
      await reopen();
      const values = await storage.getMany(keys);
      expect(values.map((value) => value?.[0])).toEqual(keys.map((_, i) => i));
    });

    test("calls may overlap: each is answered, and reads see batches that ended before", async () => {
      await storage.batch([entry("k", "0")], { sync: false });
      const calls = Array.from({ length: 50 }, async (_, i) => {
        await storage.batch([entry(`k${i}`, String(i))], { sync: i % 5 === 0 });
        return textOf(utf8(`k${i}`));
      });
      expect(await Promise.all(calls)).toEqual(
        Array.from({ length: 50 }, (_, i) => hex(utf8(String(i)))),
      );
    });

    test("a scan gives a range in byte order, without its ends, page by page", async () => {
      const keys = ["a", "b", "ba", "bb", "c", "ca", "d"];
      await storage.batch(keys.map((key) => entry(key, `value of ${key}`)).toReversed(), SYNC);
      expect(await scanned("a", "d", { entriesMax: 100, bytesMax: MiB })).toEqual([
        "b=value of b,ba=value of ba,bb=value of bb,c=value of c,ca=value of ca (ended)",
      ]);
      expect(await scanned("a", "d", { entriesMax: 2, bytesMax: MiB })).toEqual([
        "b=value of b,ba=value of ba",
        "bb=value of bb,c=value of c",
        "ca=value of ca (ended)",
      ]);
      expect(await scanned("ca", "d", { entriesMax: 2, bytesMax: MiB })).toEqual([" (ended)"]);
    });

    test("a page is bounded in bytes and holds at least one entry", async () => {
      const large = (key: string) => ({ key: utf8(key), value: pattern(10_000) });
      await storage.batch(["a", "b", "c", "d"].map(large), SYNC);
      const range = { after: utf8("0"), before: utf8("z") };
      const one = await storage.scan(range, { entriesMax: 1, bytesMax: MiB });
      expect(one).toMatchObject({ entries: [{}], damaged: false });
      for (const [bytesMax, count] of [
        [1, 1],
        [9_000, 1],
        [10_001, 2],
        [25_000, 3],
        [MiB, 4],
      ] as const) {
        const page = await storage.scan(range, { entriesMax: 100, bytesMax });
        expect(page.entries).toHaveLength(count);
        expect(page.damaged).toBe(false);
      }
    });

    test("close waits for calls under way", async () => {
      await storage.batch([entry("a", "1")], { sync: true });
      const ended: string[] = [];
      const calls = [
        storage.batch([entry("b", "2")], { sync: true }).then(() => ended.push("batch")),
        storage.getMany([utf8("a")]).then(() => ended.push("getMany")),
      ];
      await storage.close();
      ended.push("close");
      await Promise.all(calls);
      expect(ended.at(-1)).toBe("close");
      storage = await home.open();
      expect(await textOf(utf8("b"))).toBe(hex(utf8("2")));
    });

    test("after close every call is rejected, and closing again is fine", async () => {
      await storage.close();
      await expect(storage.getMany([utf8("a")])).rejects.toMatchObject(CLOSED);
      const range = { after: utf8("a"), before: utf8("b") };
      const scan = storage.scan(range, { entriesMax: 1, bytesMax: 1 });
      await expect(scan).rejects.toMatchObject(CLOSED);
      for (const sync of [true, false]) {
        await expect(storage.batch([entry("a", "1")], { sync })).rejects.toMatchObject(CLOSED);
      }
      await storage.close();
      storage = await home.open();
      expect(await textOf(utf8("a"))).toBeUndefined();
    });

    test("a second opening is refused as directory-in-use and does no harm to the first", async () => {
      await storage.batch([entry("a", "1")], { sync: true });
      await expect(home.open()).rejects.toMatchObject({
        name: "KvError",
        code: "directory-in-use",
      });
      await storage.batch([entry("b", "2")], { sync: true });
      expect(await textOf(utf8("a"))).toBe(hex(utf8("1")));
      await reopen();
      expect(await textOf(utf8("b"))).toBe(hex(utf8("2")));
    });

    test("behaves like a Map under any sequence of batches, reads and reopenings", async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step(), { maxLength: 30 }), async (steps) => {
          const fresh = await makeHome();
          const run: Run = { home: fresh, storage: await fresh.open(), model: new Map() };
          try {
            for (const each of [...steps, REOPEN, READ_ALL]) {
              const { found, expected } = await apply(each, run);
              expect(found).toEqual(expected);
            }
          } finally {
            await run.storage.close();
            await fresh.remove();
          }
        }),
        { numRuns: 60 },
      );
    });
  });
}

interface Run {
  readonly home: StorageHome;
  storage: Storage;
  readonly model: Map<string, string>;
}

type Step =
  | { readonly kind: "batch"; readonly writes: readonly StorageWrite[]; readonly sync: boolean }
  | { readonly kind: "read"; readonly keys: readonly Uint8Array[] }
  | { readonly kind: "reopen" };

/** Few, so that they collide; among them neighbours in byte order and prefixes of each other. */
const KEYS = [
  [],
  [0],
  [0, 0],
  [1],
  [97],
  [97, 98],
  [127],
  [128],
  [255],
  [255, 255],
  [195, 169],
].map((bytes) => Uint8Array.from(bytes));

const REOPEN: Step = { kind: "reopen" };
const READ_ALL: Step = { kind: "read", keys: KEYS };

function step(): fc.Arbitrary<Step> {
  const key = fc.constantFrom(...KEYS);
  const value = fc.oneof(
    { weight: 2, arbitrary: fc.constant(undefined) },
    { weight: 8, arbitrary: fc.uint8Array({ maxLength: 40 }) },
    { weight: 1, arbitrary: fc.integer({ min: 4_000, max: 100_000 }).map((n) => pattern(n)) },
  );
  return fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant("batch" as const),
        writes: fc.array(fc.record({ key, value }), { maxLength: 8 }),
        sync: fc.boolean(),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("read" as const),
        keys: fc.array(key, { maxLength: 12 }),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: "reopen" as const }) },
  );
}

/** Does the step to the storage and to a naive Map. @returns what a read found and should have. */
async function apply(
  each: Step,
  run: Run,
): Promise<{ found: readonly unknown[]; expected: readonly unknown[] }> {
  switch (each.kind) {
    case "batch":
      await run.storage.batch(each.writes, { sync: each.sync });
      for (const { key, value } of each.writes) {
        if (value === undefined) run.model.delete(hex(key));
        else run.model.set(hex(key), hex(value));
      }
      return { found: [], expected: [] };
    case "read": {
      const values = await run.storage.getMany(each.keys);
      return {
        found: values.map((value) => (value === undefined ? undefined : hex(value))),
        expected: each.keys.map((key) => run.model.get(hex(key))),
      };
    }
    case "reopen":
      await run.storage.close();
      run.storage = await run.home.open();
      return { found: [], expected: [] };
  }
}

function entry(key: string, value: string): StorageWrite {
  return { key: utf8(key), value: utf8(value) };
}

function gone(key: string): StorageWrite {
  return { key: utf8(key), value: undefined };
}

function pattern(length: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 7 + seed) & 0xff);
}
