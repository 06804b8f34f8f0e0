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
      const { cluster } = stage;
      const [a, b, c] = [cluster.node(1), cluster.node(2), cluster.node(3)];
      const key = cluster.keyOf(a, b, c);
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
      stage.hold({ kind: "read", to: a.id });
      stage.expect(valueIn(await cluster.run(stage.get(b, key))) === "after", "It is superseded.");
      return stage.end();
    },
  },
];
