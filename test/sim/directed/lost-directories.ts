import { MemoryDisk } from "../../../src/testing/memory-storage.ts";
import type { Schedule } from "./schedule.ts";
import { Stage, valueIn } from "./stage.ts";

/** What was lost is copied after the longest request has ended. */
const SHORT = { requestTimeoutMaxMs: 2_000 } as const;

/** Schedules of directories and records that lack what their node once acknowledged. */
export const LOST_DIRECTORIES: readonly Schedule[] = [
  {
    name: "a wiped replica vouches for nothing before it was copied from enough others",
    catches: ["resynchronising-node-answers"],
    play: async () => {
      const stage = await Stage.open({ options: SHORT });
      const { cluster, a, b, c, key } = stage;
      await cluster.run(stage.put(b, key, "1", { w: 3 }));
      const toC = stage.hold({ kind: "write", leg: "request", to: c.id });
      await cluster.run(stage.put(b, key, "2"));
      toC.drop();
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
      const { cluster, a, b, c, key } = stage;
      await cluster.run(stage.put(b, key, "1", { w: 3 }));
      const older = a.disk.copy();
      const toC = stage.hold({ kind: "write", leg: "request", to: c.id });
      await cluster.run(stage.put(b, key, "2"));
      toC.drop();
      // Peers have heard by now how far the directory had come.
      await stage.advance(10_000);
      a.kill();
      a.disk = older;
      await cluster.run(a.start());
      await cluster.connected();
      await stage.until(() => a.isWhole, "It is copied from both others.");
      cluster.cut([b], [a, c]);
      stage.expect(valueIn(await cluster.run(stage.get(c, key))) === "2", "A has it again.");
      cluster.heal([b], [a, c]);
      await cluster.connected();
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
      const toC = stage.hold({ kind: "write", leg: "request", to: c.id });
      await cluster.run(stage.put(b, key, "2"));
      toC.drop();
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
