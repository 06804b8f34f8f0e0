import { describe, expect, test } from "vitest";
import type { Answer } from "../../../src/core/answer.ts";
import { DEFAULT_BUCKET } from "../../../src/core/bucket.ts";
import { EMPTY_BYTES, utf8, utf8Text } from "../../../src/core/bytes.ts";
import { parseKey } from "../../../src/core/ids.ts";
import type { ListAnswer, ListRequest } from "../../../src/core/messages/list.ts";
import { partitionOfRecordKey } from "../../../src/core/record-key.ts";
import { addressOf, refused, ReplicaBench, writeOf } from "./support.ts";

const PARTITIONS = Array.from({ length: 256 }, (_, partition) => partition);
const LONG_MS = 60_000;

interface Asked extends Partial<Omit<ListRequest, "range">> {
  readonly prefix?: string;
  readonly after?: string;
  readonly withinMs?: number;
}

function ask(bench: ReplicaBench, asked: Asked = {}): Answer<ListAnswer>[] {
  const {
    prefix = "",
    after,
    withinMs = LONG_MS,
    partitions = PARTITIONS,
    entriesMax = 1_000,
  } = asked;
  const answers: Answer<ListAnswer>[] = [];
  const range = {
    bucket: DEFAULT_BUCKET,
    prefix: prefix === "" ? EMPTY_BYTES : utf8(prefix),
    after: after === undefined ? undefined : parseKey(utf8(after)),
  };
  bench.replica.list({ range, partitions, entriesMax }, bench.time.now() + withinMs, (answer) =>
    answers.push(answer),
  );
  return answers;
}

async function listed(bench: ReplicaBench, asked: Asked = {}): Promise<ListAnswer> {
  const answers = ask(bench, asked);
  await bench.settle();
  const [answer] = answers;
  if (answer?.kind !== "ok") throw new Error(`no page: ${JSON.stringify(answer)}`);
  return answer.value;
}

function keysOf({ entries }: ListAnswer): (string | undefined)[] {
  return entries.map(({ key }) => utf8Text(key));
}

async function benchWith(keys: readonly string[], value = "value"): Promise<ReplicaBench> {
  const bench = await ReplicaBench.open();
  for (const key of keys) bench.write(writeOf(key, value));
  await bench.settle();
  return bench;
}

const KEYS = Array.from({ length: 300 }, (_, i) => `key-${String(i).padStart(3, "0")}`);

describe("a page of the keys that a replica stores", () => {
  test.each([7, 100, 299, 300, 1_000])(
    "holds the first %i of 300 keys over all partitions in order, and pages follow each other without gap or repetition",
    async (entriesMax) => {
      const bench = await benchWith(KEYS);
      const all: (string | undefined)[] = [];
      let after: string | undefined;
      for (let pages = 0; pages < 310; pages++) {
        const page = await listed(bench, { entriesMax, ...(after !== undefined && { after }) });
        expect(page.entries.length).toBeLessThanOrEqual(entriesMax);
        all.push(...keysOf(page));
        after = all.at(-1);
        if (page.ended) break;
        expect(page.entries.length).toBeGreaterThan(0);
      }
      expect(all).toEqual(KEYS);
    },
  );

  test("holds the keys of the partitions that were asked for, and of no others", async () => {
    const bench = await benchWith(KEYS);
    const isOdd = (key: string): boolean => partitionOfRecordKey(addressOf(key)) % 2 === 1;
    const page = await listed(bench, { partitions: PARTITIONS.filter((p) => p % 2 === 1) });
    expect(keysOf(page)).toEqual(KEYS.filter(isOdd));
  });

  test("holds the keys of its prefix, which may be a key itself", async () => {
    const bench = await benchWith(["a", "b", "b/1", "b/2", "b0", "c"]);
    expect(keysOf(await listed(bench, { prefix: "b" }))).toEqual(["b", "b/1", "b/2", "b0"]);
    expect(keysOf(await listed(bench, { prefix: "b/" }))).toEqual(["b/1", "b/2"]);
    expect(keysOf(await listed(bench, { prefix: "b", after: "b/1" }))).toEqual(["b/2", "b0"]);
    expect(await listed(bench, { prefix: "x" })).toMatchObject({ entries: [], ended: true });
  });

  test("holds tombstones too, for other replicas may hold an older value, but no values", async () => {
    const bench = await benchWith(["a"], "x".repeat(100_000));
    bench.write(writeOf("b", undefined));
    await bench.settle();
    const { entries } = await listed(bench);
    expect(entries.map(({ value }) => value.versions[0]?.content?.value.byteLength)).toEqual([
      0,
      undefined,
    ]);
  });

  test("stays within its bytes, with 1,000 of the longest keys", async () => {
    const long = Array.from({ length: 1_000 }, (_, i) => `${i}`.padStart(1_024, "0"));
    const bench = await benchWith(long);
    const page = await listed(bench);
    expect(page.ended).toBe(false);
    const bytes = page.entries.reduce(
      (sum, { key, value }) => sum + key.length + value.bytes.length,
      0,
    );
    expect(bytes).toBeLessThanOrEqual(256 * 1024);
    expect(keysOf(page)).toEqual(long.slice(0, page.entries.length));
  });
});

describe("a page that would hide something is refused", () => {
  test("one with a damaged record, and only that: pages before and behind it are whole", async () => {
    const bench = await benchWith(KEYS);
    bench.rot("key-150");
    const answers = ask(bench, { entriesMax: 1_000 });
    await bench.settle();
    expect(answers).toEqual(refused("damaged-record"));
    expect(bench.quarantine.has(addressOf("key-150"))).toBe(true);
    expect(keysOf(await listed(bench, { entriesMax: 100 }))).toEqual(KEYS.slice(0, 100));
    expect(keysOf(await listed(bench, { after: "key-150" }))).toEqual(KEYS.slice(151));
  });

  test("one in which a key is quarantined that is not stored any more", async () => {
    const bench = await benchWith(["a", "c"]);
    bench.quarantine.add(addressOf("b"), "checksum");
    const answers = [...ask(bench), ...ask(bench, { prefix: "b" })];
    await bench.settle();
    const more = [ask(bench), ask(bench, { prefix: "b" })];
    await bench.settle();
    expect(answers).toEqual([]);
    expect(more).toEqual([refused("damaged-record"), refused("damaged-record")]);
    expect(keysOf(await listed(bench, { after: "b" }))).toEqual(["c"]);
    expect(keysOf(await listed(bench, { prefix: "a" }))).toEqual(["a"]);
    expect(keysOf(await listed(bench, { entriesMax: 1 }))).toEqual(["a"]);
  });

  test("one over a block that cannot be read", async () => {
    const bench = await benchWith(["a", "b"]);
    bench.disk.breakBlock(addressOf("b"));
    const answers = ask(bench);
    await bench.settle();
    expect(answers).toEqual(refused("damaged-record"));
  });

  test("one over a partition that resynchronises, be it found out while the page is read", async () => {
    const bench = await benchWith(KEYS);
    const partition = partitionOfRecordKey(addressOf("key-007"));
    const release = bench.hold("getMany");
    const answers = ask(bench);
    await bench.settle();
    expect(answers).toEqual([]);
    bench.missing.add(partition);
    release();
    await bench.settle();
    expect(answers).toEqual(refused("resynchronising"));
    expect(ask(bench)).toEqual(refused("resynchronising"));
    const others = PARTITIONS.filter((other) => other !== partition);
    expect((await listed(bench, { partitions: others })).entries.length).toBeGreaterThan(200);
  });

  test("one that comes too late, and one of a storage that fails", async () => {
    const bench = await benchWith(["a"]);
    const late = ask(bench, { withinMs: -1 });
    await bench.settle();
    expect(late).toEqual(refused("expired"));
    bench.disk.fail("getMany");
    const failed = ask(bench);
    await bench.settle();
    expect(failed).toEqual([{ kind: "unknown", reason: "storage-error" }]);
  });

  test("one that is asked for while 4 are read and 256 wait; those come all", async () => {
    const bench = await benchWith(["a"]);
    const release = bench.hold("getMany");
    const asked = Array.from({ length: 260 }, () => ask(bench));
    expect(ask(bench)).toEqual(refused("overloaded"));
    expect(bench.telemetry.count("refused", "listsWaitingMax")).toBe(1);
    release();
    await bench.settle();
    expect(asked.every(([answer]) => answer?.kind === "ok")).toBe(true);
  });
});
