import { writeIdOf } from "../../support/virtual-cluster.ts";
import type { Schedule } from "./schedule.ts";
import { Stage, valueIn } from "./stage.ts";

/** Schedules of one write that is attempted twice. */
export const RETRIES: readonly Schedule[] = [
  {
    // Nobody in the learn quorum has seen the first attempt: the second is minted anew, and allowed.
    name: "a retry through another node while the first attempt is under way is a version of its own",
    catches: ["replica-takes-what-comes"],
    play: async () => {
      const stage = await Stage.open();
      const { cluster, a, b, c, key } = stage;
      await cluster.run(stage.put(a, key, "before"));
      await stage.advance(100);
      const writeId = writeIdOf("tried-twice");
      const held = stage.hold({ kind: "write", leg: "request", from: a.id });
      const first = stage.put(a, key, "tried twice", { writeId, timeoutMs: 300 });
      await cluster.run(first);
      // A itself holds the first attempt: the retry learns from B and C.
      const away = stage.hold({ kind: "learn", to: a.id });
      const again = stage.put(b, key, "tried twice", { writeId, attempt: 2 });
      stage.expect((await cluster.run(again)).outcome === "ok", "The retry reaches W.");
      away.release();
      await cluster.run(stage.put(c, key, "after"));
      held.release();
      await stage.advance(100);
      stage.hold({ kind: ["read", "digest"], to: a.id });
      stage.expect(valueIn(await cluster.run(stage.get(b, key))) === "after", "It is superseded.");
      return stage.end();
    },
  },
  {
    name: "a retry of an acknowledged write that is superseded by now has no second effect",
    catches: ["write-id-ignored", "superseded-writes-forgotten"],
    play: async () => {
      const stage = await Stage.open();
      const { cluster, a, b, c, key } = stage;
      const first = await cluster.run(stage.put(a, key, "first"));
      await cluster.run(stage.put(b, key, "second"));
      const again = await cluster.run(stage.put(c, key, "first", { attempt: 2 }));
      stage.expect(
        again.stamp === first.stamp,
        "The retry is told the stamp of the first attempt.",
      );
      const read = await cluster.run(stage.get(b, key));
      stage.expect(valueIn(read) === "second", "What superseded it stays.");
      return stage.end();
    },
  },
  {
    // Only A has the first attempt; B learns of it from A and must see to it that W hold it.
    name: "a retry that one replica knows is acknowledged when W replicas hold it",
    catches: ["known-write-not-replicated"],
    play: async () => {
      const stage = await Stage.open();
      const { cluster, a, b, c, key } = stage;
      await cluster.run(stage.put(a, key, "before"));
      await stage.advance(100);
      const writes = stage.hold({ kind: "write", leg: "request", from: a.id });
      const first = await cluster.run(stage.put(a, key, "again", { timeoutMs: 300 }));
      stage.expect(first.outcome === "unknown", "A alone holds the first attempt.");
      writes.drop();
      const repairs = stage.hold({ kind: ["write", "repair"], leg: "request", from: b.id });
      const again = stage.put(b, key, "again", { attempt: 2 });
      await stage.advance(100);
      stage.hold({ kind: ["read", "digest"], to: a.id });
      // Whatever this finds at B and C, it is too early for an acknowledgement that A alone vouches for.
      await cluster.run(stage.get(c, key));
      repairs.release();
      const told = await cluster.run(again);
      stage.expect(told.outcome === "ok" && told.stamp === first.stamp, "It is the same version.");
      stage.expect(valueIn(await cluster.run(stage.get(c, key))) === "again", "Now W hold it.");
      return stage.end();
    },
  },
  {
    name: "a write id that was used for other content is refused, and changes nothing",
    catches: ["other-content-acknowledged"],
    play: async () => {
      const stage = await Stage.open();
      const { cluster, a, b, c, key } = stage;
      await cluster.run(stage.put(a, key, "first"));
      const writeId = writeIdOf("first");
      const other = await cluster.run(stage.put(b, key, "other content", { writeId }));
      stage.expect(other.code === "write-id-reused", "The id names another write.");
      stage.expect(other.outcome === "not-applied", "Nothing was done.");
      stage.expect(valueIn(await cluster.run(stage.get(c, key))) === "first", "It is as before.");
      return stage.end();
    },
  },
];
