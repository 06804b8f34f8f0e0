import type { Schedule } from "./schedule.ts";
import { Stage, valueIn } from "./stage.ts";

/** Schedules in which replicas disagree and a read has to make sure of what it returns. */
export const REPAIR: readonly Schedule[] = [
  {
    // A has 2, B and C have 1; a read of {A, B} may return 2 only when a read of {B, C} will too.
    name: "a version that one replica holds is not read before another one holds it",
    catches: [
      "no-write-back",
      "write-back-waits-for-nobody",
      "write-back-waits-for-one",
      "background-repair",
    ],
    play: async () => {
      const stage = await Stage.open();
      const { cluster, a, c, key } = stage;
      await cluster.run(stage.put(a, key, "1"));
      await stage.advance(100);
      const writes = stage.hold({ kind: "write", leg: "request", from: a.id });
      const partial = stage.put(a, key, "2", { timeoutMs: 200 });
      await cluster.run(partial);
      writes.drop();
      const repairs = stage.hold({ kind: "repair", leg: "request", from: a.id });
      const first = stage.get(a, key, { timeoutMs: 1_000 });
      await stage.advance(100);
      stage.hold({ kind: ["read", "digest"], leg: "request", from: c.id, to: a.id });
      const second = await cluster.run(stage.get(c, key));
      stage.expect(valueIn(second) === "1", "The second get asks B and C, which hold 1.");
      repairs.release();
      await cluster.run(first);
      return stage.end();
    },
  },
  {
    // B took the write-back but its acknowledgement is under way: whoever waits for it is right to.
    name: "a version is not read while its second holder has not acknowledged it",
    catches: [
      "no-write-back",
      "write-back-waits-for-nobody",
      "write-back-waits-for-one",
      "background-repair",
    ],
    play: async () => {
      const stage = await Stage.open();
      const { cluster, a, b, c, key } = stage;
      await cluster.run(stage.put(a, key, "1"));
      await stage.advance(100);
      const writes = stage.hold({ kind: "write", leg: "request", from: a.id });
      await cluster.run(stage.put(a, key, "2", { timeoutMs: 200 }));
      writes.drop();
      const acks = stage.hold({ kind: "repair", leg: "answer", from: [b.id, c.id], to: a.id });
      writes.release();
      const first = stage.get(a, key, { timeoutMs: 1_000 });
      await stage.until(() => acks.count === 2, "The read writes back to B and C.");
      let answered = false;
      void first.then(() => (answered = true));
      await stage.advance(100);
      stage.expect(!answered, "A read waits for the acknowledgement of its write-back.");
      acks.release();
      stage.expect(
        valueIn(await cluster.run(first)) === "2",
        "Then it returns what it wrote back.",
      );
      return stage.end();
    },
  },
  {
    // A has a tombstone, B has nothing, C has an older value: all of them of writes in doubt.
    name: "a tombstone is not taken for absence",
    catches: ["digest-takes-tombstones-for-absence"],
    play: async () => {
      const stage = await Stage.open();
      const { cluster, a, c, key } = stage;
      const ofC = stage.hold({ kind: "write", leg: "request", from: c.id });
      await cluster.run(stage.put(c, key, "older", { timeoutMs: 200 }));
      ofC.drop();
      const ofA = stage.hold({ kind: "write", leg: "request", from: a.id });
      await cluster.run(stage.delete(a, key, { timeoutMs: 200 }));
      ofA.drop();
      stage.hold({ kind: ["read", "digest"], leg: "request", from: a.id, to: c.id });
      stage.hold({ kind: ["read", "digest"], leg: "request", from: c.id, to: a.id });
      stage.hold({ kind: "repair", leg: "request", from: a.id, to: c.id });
      const first = await cluster.run(stage.get(a, key));
      stage.expect(first.stamp !== undefined, "The first get finds the tombstone.");
      const second = await cluster.run(stage.get(c, key));
      stage.expect(second.stamp === first.stamp, "So does the second, through C.");
      return stage.end();
    },
  },
];
