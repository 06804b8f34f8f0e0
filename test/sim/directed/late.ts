import type { Schedule } from "./schedule.ts";
import { Stage, valueIn } from "./stage.ts";

/** Schedules in which a message arrives, or a process goes on, when the world has moved on. */
export const LATE: readonly Schedule[] = [
  {
    name: "a write message that arrives after a newer write was acknowledged changes nothing",
    catches: ["replica-keeps-the-older", "replica-takes-what-comes"],
    play: async () => {
      const stage = await Stage.open();
      const { cluster, a, b, c, key } = stage;
      const late = stage.hold({ kind: "write", leg: "request", from: a.id, to: [b.id, c.id] });
      const older = stage.put(a, key, "older", { timeoutMs: 5_000 });
      await stage.until(() => late.count === 2, "The write is under way to B and C.");
      await cluster.run(stage.put(b, key, "newer"));
      await stage.advance(100);
      late.release();
      await cluster.run(older);
      stage.hold({ kind: ["read", "digest"], to: a.id });
      stage.expect(valueIn(await cluster.run(stage.get(c, key))) === "newer", "C keeps the newer.");
      return stage.end();
    },
  },
  {
    name: "a coordinator that was paused between learning and writing supersedes nobody",
    catches: ["deadline-ignored"],
    play: async () => {
      const stage = await Stage.open();
      const { cluster, a, b, c, key } = stage;
      await cluster.run(stage.put(b, key, "before"));
      await stage.advance(100);
      const learned = stage.hold({ kind: "learn", leg: "answer", to: a.id });
      // Shorter than the clock's lease, which would be one more guard.
      const stale = stage.put(a, key, "stale", { timeoutMs: 40 });
      await stage.until(() => learned.count > 0, "A is about to learn.");
      a.clock.pause();
      learned.release();
      await cluster.run(stage.put(b, key, "meanwhile", { w: 2 }));
      await stage.advance(40);
      a.clock.resume();
      const told = await cluster.run(stale);
      stage.expect(told.outcome !== "ok", "Its deadline had passed before it came to write.");
      // What was sent too late all the same would have arrived by then.
      await stage.advance(100);
      const read = await cluster.run(stage.get(c, key));
      stage.expect(valueIn(read) === "meanwhile", "What was acknowledged meanwhile stays.");
      return stage.end();
    },
  },
  {
    name: "a replica refuses a write whose deadline passed while it waited for the disk",
    catches: ["deadline-ignored"],
    play: async () => {
      const stage = await Stage.open();
      const { cluster, a, b, c, key } = stage;
      const other = `${key} of another batch`;
      await cluster.run(stage.put(a, key, "before"));
      await stage.advance(1_000);
      let goOn: () => void = () => {};
      const stuck = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      b.disk.pause = (work) => (work === "sync" ? stuck : Promise.resolve());
      const first = stage.put(a, other, "occupies the disk of B", { w: 3, timeoutMs: 5_000 });
      await stage.advance(50);
      cluster.silence([c]);
      const told = await cluster.run(stage.put(a, key, "too late", { timeoutMs: 300 }));
      stage.expect(told.outcome === "unknown", "B may have done it, for all that A knows.");
      await stage.advance(100);
      goOn();
      await stage.advance(1_000);
      stage.expect(
        b.record(key)?.version.writeId !== "too-late",
        "Nobody waits for the write any more when B comes to it: B does not do it.",
      );
      cluster.unsilence([c]);
      await cluster.run(first);
      return stage.end();
    },
  },
];
