import { rescue } from "../../../src/node/resync/rescue.ts";
import { MemoryDisk } from "../../../src/testing/memory-storage.ts";
import { addressOf } from "../../support/virtual-node.ts";
import type { Schedule } from "./schedule.ts";
import { Stage, valueIn } from "./stage.ts";

/** What was lost is copied after the longest request has ended. */
const SHORT = { requestTimeoutMaxMs: 2_000 } as const;

/** Only A and B have it, and C never gets it. */
async function putWithoutC(stage: Stage, value: string): Promise<void> {
  const toC = stage.hold({ kind: "write", leg: "request", to: stage.c.id });
  await stage.cluster.run(stage.put(stage.b, stage.key, value));
  toC.drop();
}

/** A, which lost the value, becomes whole; without B a read then has it from A alone. */
async function expectCopied(stage: Stage, value: string): Promise<void> {
  const { cluster, a, b, c, key } = stage;
  await cluster.connected();
  await stage.until(() => a.isWhole, "It is copied from both others.");
  cluster.cut([b], [a, c]);
  stage.expect(valueIn(await cluster.run(stage.get(c, key))) === value, "A has it again.");
  cluster.heal([b], [a, c]);
  await cluster.connected();
}

/** Schedules of directories and records that lack what their node once acknowledged. */
export const LOST_DIRECTORIES: readonly Schedule[] = [
  {
    name: "a wiped replica vouches for nothing before it was copied from enough others",
    catches: ["resynchronising-node-answers"],
    play: async () => {
      const stage = await Stage.open({ options: SHORT });
      const { cluster, a, b, c, key } = stage;
      await cluster.run(stage.put(b, key, "1", { w: 3 }));
      await putWithoutC(stage, "2");
      a.kill();
      a.disk = new MemoryDisk();
      // With B gone A has one source, and 2 of 2 others would have to be copied.
      cluster.cut([b], [a, c]);
      await cluster.run(a.start());
      await cluster.time.runUntil(() => a.sees(c) && c.sees(a));
      await stage.advance(2_000);
      const told = await cluster.run(stage.get(c, key));
      stage.expect(told.outcome !== "ok", "Of those who answer nobody has to know of 2.");
      cluster.heal([b], [a, c]);
      await cluster.connected();
      await stage.until(() => a.isWhole, "Everybody is there, so A becomes whole by itself.");
      stage.expect(valueIn(await cluster.run(stage.get(c, key))) === "2", "2 is found.");
      return stage.end();
    },
  },
  {
    name: "a directory that was rolled back is found out by what its peers remember",
    catches: ["rolled-back-directory-believed"],
    play: async () => {
      const stage = await Stage.open({ options: SHORT });
      const { cluster, a, b, key } = stage;
      await cluster.run(stage.put(b, key, "1", { w: 3 }));
      const older = a.disk.copy();
      await putWithoutC(stage, "2");
      // Peers have heard by now how far the directory had come.
      await stage.advance(10_000);
      a.kill();
      a.disk = older;
      await cluster.run(a.start());
      await expectCopied(stage, "2");
      return stage.end();
    },
  },
  {
    name: "what peers remember of a directory outlives their own restart",
    catches: ["peer-memory-forgotten"],
    play: async () => {
      const stage = await Stage.open({ options: SHORT });
      const { cluster, a, b, key } = stage;
      await cluster.run(stage.put(b, key, "1", { w: 3 }));
      const older = a.disk.copy();
      await putWithoutC(stage, "2");
      // Peers have written down by now how far the directory had come.
      await stage.advance(10_000);
      for (const node of cluster.nodes) node.kill();
      a.disk = older;
      for (const node of cluster.nodes) await cluster.run(node.start());
      await expectCopied(stage, "2");
      return stage.end();
    },
  },
  {
    name: "a salvaged directory vouches for nothing before it was copied from enough others",
    catches: ["salvage-without-resync"],
    play: async () => {
      const stage = await Stage.open({ options: SHORT });
      const { cluster, a, key } = stage;
      await putWithoutC(stage, "1");
      await stage.advance(10_000);
      a.kill();
      const damaged = a.disk;
      damaged.rot(addressOf(key), new Uint8Array(50));
      a.disk = new MemoryDisk();
      const [from, to] = [await damaged.open(), await a.disk.open()];
      const { damaged: lost } = await cluster.run(rescue({ from, to }));
      stage.expect(lost === 1, "The record of the write is beyond rescue.");
      await Promise.all([from.close(), to.close()]);
      await cluster.run(a.start());
      await expectCopied(stage, "1");
      return stage.end();
    },
  },
  {
    // B lost the newer of two writes; the older one arrives when it has done so, and A has that as well.
    name: "what arrives at a replica whose record is damaged is not read there",
    catches: ["quarantine-counts"],
    play: async () => {
      const stage = await Stage.open({ options: { recordCacheBytes: 0 } });
      const { cluster, a, b, c, key } = stage;
      const toB = stage.hold({ kind: "write", leg: "request", from: a.id, to: b.id });
      await cluster.run(stage.put(a, key, "older", { timeoutMs: 5_000 }));
      const toA = stage.hold({ kind: "write", leg: "request", from: c.id, to: a.id });
      await cluster.run(stage.put(c, key, "newer"));
      toA.drop();
      await stage.advance(100);
      b.disk.rot(addressOf(key), new Uint8Array(50));
      toB.release();
      await stage.advance(100);
      cluster.cut([c], [a, b]);
      const read = await cluster.run(stage.get(a, key));
      stage.expect(read.outcome !== "ok", "B vouches for nothing, and A alone is no quorum.");
      cluster.heal([c], [a, b]);
      await cluster.connected();
      stage.expect(valueIn(await cluster.run(stage.get(a, key))) === "newer", "C has it.");
      await stage.advance(40_000);
      return stage.end();
    },
  },
  {
    // C can be dialled by A but cannot dial it, so C answers A's questions and has no say of its own.
    name: "a rolled-back node counts no answer of a peer that could not say yet what it remembers",
    catches: ["peers-counted-before-their-word"],
    play: async () => {
      const stage = await Stage.open({ options: SHORT });
      const { cluster, a, b, c, key } = stage;
      await cluster.run(stage.put(b, key, "1", { w: 3 }));
      const older = a.disk.copy();
      await putWithoutC(stage, "2");
      await stage.advance(10_000);
      a.kill();
      a.disk = older;
      cluster.cut([b], [a, c]);
      cluster.network.cut(c.id, a.id);
      await cluster.run(a.start());
      await stage.advance(5_000);
      const told = await cluster.run(stage.get(a, key));
      stage.expect(told.outcome !== "ok", "C may know that A lacks something, and does.");
      cluster.network.heal(c.id, a.id);
      cluster.heal([b], [a, c]);
      await cluster.connected();
      await stage.until(() => a.isWhole, "It is copied from both others.");
      stage.expect(valueIn(await cluster.run(stage.get(a, key))) === "2", "2 is found.");
      return stage.end();
    },
  },
  {
    // Found by a campaign: seed 1795577913269, shrunk and kept.
    name: "a record that rots while its write is still under way is not repaired from those who lack it",
    catches: ["repair-before-writes-ended"],
    play: async () => {
      const stage = await Stage.open({ options: { recordCacheBytes: 0 } });
      const { cluster, a, b, c, key } = stage;
      await cluster.run(stage.put(b, key, "1", { w: 3 }));
      const toC = stage.hold({ kind: "write", leg: "request", to: c.id });
      b.disk.pause = (work) =>
        work === "batch"
          ? new Promise((resolve) => void cluster.time.after(1_000, () => resolve()))
          : Promise.resolve();
      const writing = stage.put(b, key, "2");
      await stage.until(() => a.record(key)?.version.writeId === "2", "A has 2 and says so.");
      await stage.advance(10);
      a.rot(key);
      await cluster.run(stage.get(c, key, { r: 3, timeoutMs: 300 }));
      const told = await cluster.run(writing);
      stage.expect(told.outcome === "ok", "A had acknowledged it, and now B has.");
      b.disk.pause = () => Promise.resolve();
      toC.drop();
      cluster.cut([b], [a, c]);
      const read = await cluster.run(stage.get(c, key));
      stage.expect(read.outcome !== "ok", "A vouches for nothing, and C alone is no quorum.");
      cluster.heal([b], [a, c]);
      await cluster.connected();
      stage.expect(valueIn(await cluster.run(stage.get(c, key))) === "2", "2 is found.");
      await stage.advance(40_000);
      return stage.end();
    },
  },
  {
    name: "a damaged record is not repaired from one of two others",
    catches: ["repair-from-one"],
    play: async () => {
      const stage = await Stage.open({ options: { ...SHORT, recordCacheBytes: 0 } });
      const { cluster, a, b, c, key } = stage;
      await cluster.run(stage.put(b, key, "1", { w: 3 }));
      await putWithoutC(stage, "2");
      await stage.advance(100);
      a.rot(key);
      cluster.cut([b], [a, c]);
      await cluster.run(stage.get(a, key, { r: 1, timeoutMs: 300 }));
      await stage.advance(5_000);
      const read = await cluster.run(stage.get(c, key));
      stage.expect(read.outcome !== "ok", "C alone does not know what A had acknowledged.");
      cluster.heal([b], [a, c]);
      await cluster.connected();
      stage.expect(valueIn(await cluster.run(stage.get(c, key))) === "2", "B knows it.");
      await stage.advance(10_000);
      return stage.end();
    },
  },
];
