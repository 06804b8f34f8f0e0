import { describe, expect, test } from "vitest";
import { latin1Text, utf8, utf8Text } from "../../../src/core/bytes.ts";
import { NO_STAMP, stampOfMs } from "../../../src/core/hlc.ts";
import { parseClusterId, parseNodeId } from "../../../src/core/ids.ts";
import { Directory } from "../../../src/node/replica/directory.ts";
import { seal } from "../../../src/node/replica/sealed.ts";
import { MemoryDisk } from "../../../src/testing/memory-storage.ts";
import { SeededRng } from "../../../src/testing/seeded-rng.ts";

const OWNER = { clusterId: parseClusterId("c1"), nodeId: parseNodeId("n1") };

interface Life {
  readonly directory: Directory;
  end(how: "close" | "kill" | "losePower"): Promise<void>;
}

let seed = 0;

async function open(disk: MemoryDisk, owner = OWNER): Promise<Life> {
  const storage = await disk.open();
  seed += 1;
  const directory = await Directory.open(owner, { storage, rng: new SeededRng(seed) });
  return {
    directory,
    async end(how) {
      if (how === "close") {
        await directory.close(stampOfMs(42));
        await storage.close();
      } else {
        disk[how]();
      }
    },
  };
}

/** The entry of a directory that a test damages. */
function entryOf(disk: MemoryDisk, name: string): { key: Uint8Array; value: Uint8Array } {
  const found = disk.entries().find(([key]) => latin1Text(key).endsWith(name));
  if (found === undefined) throw new Error(`there is no entry '${name}'`);
  return { key: found[0], value: found[1] };
}

const bytesOf = (disk: MemoryDisk): string => JSON.stringify(disk.entries());

describe("the actor of a directory", () => {
  test("a fresh one has a random id and epoch 1", async () => {
    const [one, other] = [await open(new MemoryDisk()), await open(new MemoryDisk())];
    expect(one.directory.actor).toMatch(/^[0-9a-f]{16}00000001$/);
    expect(other.directory.actor).not.toBe(one.directory.actor);
    expect(one.directory.lease).toBe(NO_STAMP);
  });

  test("stays over clean restarts", async () => {
    const disk = new MemoryDisk();
    const first = await open(disk);
    await first.end("close");
    for (let i = 0; i < 3; i++) {
      const next = await open(disk);
      expect(next.directory.actor).toBe(first.directory.actor);
      expect(next.directory.lease).toBe(stampOfMs(42));
      await next.end("close");
    }
  });

  test("is renewed on demand, durably: whatever ends the run, no later one is an earlier one", async () => {
    for (const how of ["close", "kill", "losePower"] as const) {
      const disk = new MemoryDisk();
      const first = await open(disk);
      const seen = new Set([first.directory.actor]);
      await first.directory.renew();
      seen.add(first.directory.actor);
      const renewed = first.directory.actor;
      await first.end(how);
      const next = await open(disk);
      expect(seen.size).toBe(2);
      expect(next.directory.actor.slice(0, 16)).toBe(renewed.slice(0, 16));
      expect(next.directory.actor === renewed).toBe(how === "close");
      expect(next.directory.actor >= renewed).toBe(true);
    }
  });

  test("that could not be stored is not renewed", async () => {
    const disk = new MemoryDisk();
    const { directory } = await open(disk);
    const before = directory.actor;
    disk.fail("batch", { kind: "no-space" });
    await expect(directory.renew()).rejects.toMatchObject({ kind: "no-space" });
    expect(directory.actor).toBe(before);
  });

  test("stays over a clean stop after which the power went", async () => {
    const disk = new MemoryDisk();
    const first = await open(disk);
    await first.end("close");
    disk.losePower();
    expect((await open(disk)).directory.actor).toBe(first.directory.actor);
  });

  test.each(["kill", "losePower"] as const)(
    "changes by one epoch with every start after a death (%s), also right after a clean one",
    async (death) => {
      const disk = new MemoryDisk();
      const actors: string[] = [];
      for (const end of [death, death, "close", death, death] as const) {
        const life = await open(disk);
        actors.push(life.directory.actor);
        await life.end(end);
      }
      const id = actors[0]?.slice(0, 16);
      // The third life ended cleanly, so the fourth goes on as the same actor, and then dies.
      expect(actors).toEqual([1, 2, 3, 3, 4].map((epoch) => `${id}0000000${epoch}`));
      expect((await open(disk)).directory.actor).toBe(`${id}00000005`);
    },
  );

  test("is on the disk before the directory is open: power lost at once is survived", async () => {
    const disk = new MemoryDisk();
    const first = await open(disk);
    await first.end("losePower");
    const second = await open(disk);
    expect(second.directory.actor.slice(0, 16)).toBe(first.directory.actor.slice(0, 16));
    expect(second.directory.actor).not.toBe(first.directory.actor);
  });

  test("a clean stop that the disk did not confirm is none", async () => {
    const disk = new MemoryDisk();
    const first = await open(disk);
    disk.pause = (work) => (work === "sync" ? new Promise(() => {}) : Promise.resolve());
    void first.end("close");
    await Promise.resolve();
    disk.losePower();
    disk.pause = () => Promise.resolve();
    const second = await open(disk);
    expect(second.directory.actor).not.toBe(first.directory.actor);
  });
});

describe("the lease", () => {
  test("that was written last is found by the next start", async () => {
    const disk = new MemoryDisk();
    const storage = await disk.open();
    await Directory.open(OWNER, { storage, rng: new SeededRng(1) });
    await storage.batch([Directory.leaseWrite(stampOfMs(1_234))], { sync: true });
    disk.losePower();
    expect((await open(disk)).directory.lease).toBe(stampOfMs(1_234));
  });

  test("of a clean stop is the last stamp minted, lower though it be", async () => {
    const disk = new MemoryDisk();
    const storage = await disk.open();
    const directory = await Directory.open(OWNER, { storage, rng: new SeededRng(1) });
    await storage.batch([Directory.leaseWrite(stampOfMs(1_234))], { sync: true });
    await directory.close(stampOfMs(1_100));
    await storage.close();
    expect((await open(disk)).directory.lease).toBe(stampOfMs(1_100));
  });
});

describe("the state that peers are told", () => {
  test("is the directory id, the start epoch and the batches that were synced", async () => {
    const disk = new MemoryDisk();
    const life = await open(disk);
    const { directory } = life;
    const directoryId = directory.actor.slice(0, 16);
    expect(directory.state).toEqual({ directoryId, startEpoch: 1, position: 0 });
    for (let i = 0; i < 3; i++) {
      const storage = directory.positionWrite();
      disk.overwrite(storage.key, storage.value);
      directory.advance();
    }
    expect(directory.state.position).toBe(3);
    await life.end("kill");
    const next = await open(disk);
    expect(next.directory.state).toEqual({ directoryId, startEpoch: 2, position: 3 });
    expect(next.directory.isNew).toBe(false);
  });

  test("a batch that may have failed is not counted, though a restart may find it", async () => {
    const disk = new MemoryDisk();
    const life = await open(disk);
    const { directory } = life;
    const { key, value } = directory.positionWrite();
    disk.overwrite(key, value);
    expect(directory.state.position).toBe(0);
    await life.end("kill");
    expect((await open(disk)).directory.state.position).toBe(1);
  });
});

describe("a directory that is not for this run any more", () => {
  test("renewed: the next epoch, on the disk before it mints", async () => {
    const disk = new MemoryDisk();
    const life = await open(disk);
    const { directory } = life;
    const id = directory.actor.slice(0, 16);
    const renewal = directory.renew();
    expect(directory.actor).toBe(`${id}00000001`);
    await renewal;
    expect(directory.actor).toBe(`${id}00000002`);
    await life.end("losePower");
    expect((await open(disk)).directory.actor).toBe(`${id}00000003`);
  });

  test("replaced: another id, with what belongs to it or not at all", async () => {
    const disk = new MemoryDisk();
    const life = await open(disk);
    const { directory } = life;
    const before = directory.actor;
    disk.fail("batch");
    await expect(directory.replace([{ key: utf8("mx"), value: utf8("1") }])).rejects.toThrow(
      "injected",
    );
    expect(directory.actor).toBe(before);
    expect(disk.get(utf8("mx"))).toBeUndefined();
    await directory.replace([{ key: utf8("mx"), value: utf8("1") }]);
    expect(directory.actor).toMatch(/^[0-9a-f]{16}00000001$/);
    expect(directory.actor).not.toBe(before);
    const now = directory.actor.slice(0, 16);
    await life.end("losePower");
    expect(disk.get(utf8("mx"))).toBeDefined();
    expect((await open(disk)).directory.actor).toBe(`${now}00000002`);
  });

  test("a new one is stored with its first entries, an old one without", async () => {
    const disk = new MemoryDisk();
    for (const [isNew, text] of [
      [true, "first"],
      [false, "second"],
    ] as const) {
      const storage = await disk.open();
      const firstEntries = [{ key: utf8("mfirst"), value: utf8(text) }];
      const modules = { storage, rng: new SeededRng(1), firstEntries };
      expect((await Directory.open(OWNER, modules)).isNew).toBe(isNew);
      expect(utf8Text(disk.get(utf8("mfirst")) ?? utf8(""))).toBe("first");
      disk.losePower();
    }
  });
});

describe("a directory that is not for this node is refused, and nothing is written", () => {
  async function refusal(disk: MemoryDisk, owner = OWNER) {
    const before = { contents: bytesOf(disk), batches: disk.calls.batch };
    const storage = await disk.open();
    const opened = Directory.open(owner, { storage, rng: new SeededRng(1) });
    const error: unknown = await opened.catch((reason: unknown) => reason);
    await storage.close();
    expect({ contents: bytesOf(disk), batches: disk.calls.batch }).toEqual(before);
    return error;
  }

  async function used(): Promise<MemoryDisk> {
    const disk = new MemoryDisk();
    const life = await open(disk);
    const { directory } = life;
    const { key, value } = directory.positionWrite();
    disk.overwrite(key, value);
    await life.end("close");
    return disk;
  }

  test("another cluster's", async () => {
    const owner = { ...OWNER, clusterId: parseClusterId("c2") };
    const error = await refusal(await used(), owner);
    expect(error).toMatchObject({ code: "directory-refused" });
    expect(String(error)).toMatch(/cluster 'c1', not 'c2'/);
  });

  test("another node's", async () => {
    const error = await refusal(await used(), { ...OWNER, nodeId: parseNodeId("n2") });
    expect(error).toMatchObject({ code: "directory-refused" });
    expect(String(error)).toMatch(/node 'n1', not 'n2'/);
  });

  test.each([
    ["as this one writes it", {}],
    ["with fields that this one does not know", { startEpoch: undefined, epochs: [1, 2] }],
  ])("one of a newer format, %s", async (_name, fields) => {
    const disk = await used();
    const { key } = entryOf(disk, "identity");
    const identity = {
      format: 2,
      clusterId: "c1",
      nodeId: "n1",
      directoryId: "0123456789abcdef",
      startEpoch: 1,
      clean: true,
      ...fields,
    };
    disk.overwrite(key, seal(key, identity));
    const error = await refusal(disk);
    expect(error).toMatchObject({ code: "directory-refused" });
    expect(String(error)).toMatch(/format 2/);
  });

  test.each(["identity", "lease", "position"])(
    "a damaged %s entry: directory-damaged, at every bit",
    async (name) => {
      const disk = await used();
      const { key, value } = entryOf(disk, name);
      for (let bit = 0; bit < value.byteLength * 8; bit++) {
        const damaged = Uint8Array.from(value);
        damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        disk.overwrite(key, damaged);
        expect(await refusal(disk)).toMatchObject({ code: "directory-damaged" });
      }
    },
  );

  test.each(["identity", "lease"])(
    "a %s entry cut short, empty or of another entry",
    async (name) => {
      const disk = await used();
      const { key, value } = entryOf(disk, name);
      const other = entryOf(disk, name === "lease" ? "identity" : "lease").value;
      const bad = [
        value.subarray(0, -1),
        value.subarray(0, 3),
        new Uint8Array(0),
        other,
        utf8("x"),
      ];
      for (const bytes of bad) {
        disk.overwrite(key, bytes);
        expect(await refusal(disk)).toMatchObject({ code: "directory-damaged" });
      }
    },
  );

  test.each([-1, 0.5, 2 ** 53, "1", null, { stamp: 1 }])(
    "a lease of %j is damaged",
    async (lease) => {
      const disk = await used();
      const { key } = entryOf(disk, "lease");
      disk.overwrite(key, seal(key, lease));
      expect(await refusal(disk)).toMatchObject({ code: "directory-damaged" });
    },
  );

  test.each([null, 7, [], {}, { format: 1 }])("an identity of %j is damaged", async (identity) => {
    const disk = await used();
    const { key } = entryOf(disk, "identity");
    disk.overwrite(key, seal(key, identity));
    expect(await refusal(disk)).toMatchObject({ code: "directory-damaged" });
  });
});
