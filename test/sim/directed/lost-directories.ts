import { MemoryDisk } from "../../../src/testing/memory-storage.ts";
import type { Schedule } from "./schedule.ts";
import { Stage, valueIn } from "./stage.ts";

/** Schedules of directories that lack what their node once acknowledged. */
export const LOST_DIRECTORIES: readonly Schedule[] = [
  {
    name: "a wiped replica vouches for nothing before it was copied from enough others",
    catches: ["resynchronising-node-answers"],
    play: async () => {
      const stage = await Stage.open();
      const { cluster } = stage;
      const [a, b, c] = [cluster.node(1), cluster.node(2), cluster.node(3)];
      const key = cluster.keyOf(a, b, c);
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
      const stage = await Stage.open();
      const { cluster } = stage;
      const [a, b, c] = [cluster.node(1), cluster.node(2), cluster.node(3)];
      const key = cluster.keyOf(a, b, c);
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
];
