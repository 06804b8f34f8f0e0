import type { Schedule } from "./schedule.ts";
import { Stage, valueIn } from "./stage.ts";

const HEARTBEAT_MS = 200;
/** So many answers outvote what was measured before. */
const MEASURED_MS = 5 * HEARTBEAT_MS;

/** Schedules in which wall clocks are wrong. */
export const CLOCKS: readonly Schedule[] = [
  {
    name: "a coordinator whose clock is behind does not revive what has expired",
    catches: ["expiry-by-local-clock"],
    play: async () => {
      const stage = await Stage.open({ wallOffsetsMs: [-10_000, 0, 0] });
      const { cluster, a, b, key } = stage;
      await cluster.run(stage.put(b, key, "for a second", { ttlSeconds: 1, w: 3 }));
      const early = await cluster.run(stage.get(a, key));
      stage.expect(!early.expired && valueIn(early) !== undefined, "It is there at first.");
      await stage.advance(2_000);
      const late = await cluster.run(stage.get(a, key));
      stage.expect(late.expired, "Another replica's clock tells A that it has expired.");
      return stage.end();
    },
  },
  {
    name: "a node whose clock jumped coordinates nothing, stays a replica, and is set right",
    catches: ["clock-guard-off", "clock-guard-too-strict"],
    play: async () => {
      const stage = await Stage.open({
        options: { clockOffsetMaxMs: 500, heartbeatEveryMs: HEARTBEAT_MS },
      });
      const { cluster, a, b, key } = stage;
      await stage.advance(MEASURED_MS);
      a.clock.wallOffsetMs = 400;
      const near = await cluster.run(stage.put(a, key, "by a clock that is nearly right"));
      stage.expect(near.outcome === "ok", "400 ms are no reason to refuse.");
      a.clock.wallOffsetMs = 60_000;
      const refused = await cluster.run(stage.put(a, key, "by a wrong clock"));
      stage.expect(refused.code === "clock-unsafe", "A knows at once that its clock is wrong.");
      stage.expect(refused.outcome === "not-applied", "Nothing was sent.");
      const taken = await cluster.run(stage.put(b, key, "by a right clock", { w: 3 }));
      stage.expect(taken.outcome === "ok", "As a replica A judges nobody's clock.");
      a.clock.wallOffsetMs = 0;
      const again = await cluster.run(stage.put(a, key, "by a clock that was set right"));
      stage.expect(again.outcome === "ok", "A goes on as soon as its clock is right.");
      return stage.end();
    },
  },
];
