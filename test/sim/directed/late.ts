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
  {
    // The coordinator is no replica. A missed the newer write and is slow, so C is asked in its place.
    name: "a read that hedges asks another replica, not the silent one again",
    catches: ["hedge-counts-one-node-twice"],
    play: async () => {
      const stage = await Stage.open({ nodes: 4 });
      const { cluster } = stage;
      const [a, b, c, x] = [1, 2, 3, 4].map((number) => cluster.node(number)) as [
        (typeof cluster.nodes)[number],
        (typeof cluster.nodes)[number],
        (typeof cluster.nodes)[number],
        (typeof cluster.nodes)[number],
      ];
      const key = cluster.keyOf(a, b, c);
      await cluster.run(stage.put(x, key, "older", { w: 3 }));
      // B writes it, so that X has no reason to suspect A.
      const writes = stage.hold({ kind: "write", leg: "request", from: b.id, to: a.id });
      await cluster.run(stage.put(b, key, "newer"));
      writes.drop();
      // By then everybody has heard that the others are whole: A is asked first, as it is on the list.
      await stage.advance(2_000);
      stage.hold({ kind: ["read", "digest"], leg: "request", from: x.id, to: b.id });
      const ofA = stage.hold({ kind: ["read", "digest"], leg: "answer", from: a.id, to: x.id });
      const read = stage.get(x, key, { timeoutMs: 1_000 });
      await stage.advance(500);
      ofA.release();
      const found = valueIn(await cluster.run(read));
      stage.expect(found === "newer", "Of A and C, C has the newer one.");
      return stage.end();
    },
  },
];
