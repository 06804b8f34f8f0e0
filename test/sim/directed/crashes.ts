import type { Schedule } from "./schedule.ts";
import { Stage, valueIn } from "./stage.ts";

/** Schedules of machines that die, and of disks that fail, at a chosen moment. */
export const CRASHES: readonly Schedule[] = [
  {
    // The coordinator is no replica: all that it knows of its first write is in its lease.
    name: "a coordinator that forgot what it minted mints as somebody else, and above",
    catches: ["actor-not-renewed", "lease-forgotten"],
    play: async () => {
      const stage = await Stage.open({ nodes: 4 });
      const { cluster, a, b, c, key } = stage;
      const x = cluster.node(4);
      const toOthers = stage.hold({ kind: "write", leg: "request", to: [b.id, c.id] });
      const first = await cluster.run(stage.put(x, key, "first", { timeoutMs: 300 }));
      stage.expect(first.outcome === "unknown", "A alone has it.");
      const minted = a.record(key)?.version;
      toOthers.drop();
      x.losePower();
      x.wallOffsetMs -= 3_600_000;
      await cluster.run(x.start());
      await cluster.connected();
      toOthers.release();
      const toA = stage.hold({ kind: "write", leg: "request", to: a.id });
      const fromA = stage.hold({ kind: "learn", to: a.id });
      const second = await cluster.run(stage.put(x, key, "second"));
      stage.expect(second.outcome === "ok", "B and C take the second.");
      stage.expect(
        b.record(key)?.version.actor !== minted?.actor,
        `${x.id} lost power, so it mints as another actor.`,
      );
      stage.expect(
        (second.stamp ?? 0) > (minted?.stamp ?? Infinity),
        `${x.id} mints above everything that it minted before.`,
      );
      toA.drop();
      fromA.release();
      return stage.end();
    },
  },
  {
    name: "a write whose fsync fails is in doubt: it may be there after the restart, and then stays",
    catches: ["storage-error-as-refusal"],
    play: async () => {
      const stage = await Stage.open();
      const { cluster, a, b, c, key } = stage;
      await cluster.run(stage.put(a, key, "1"));
      await stage.advance(100);
      for (const { disk } of cluster.nodes) disk.fail("batch", { applied: true });
      const told = await cluster.run(stage.put(a, key, "2", { timeoutMs: 500 }));
      stage.expect(told.outcome === "unknown", "Nobody can tell whether 2 is on a disk.");
      for (const node of cluster.nodes) {
        node.kill();
        await cluster.run(node.start());
      }
      await cluster.connected();
      await cluster.run(stage.get(b, key));
      stage.expect(
        valueIn(await cluster.run(stage.get(c, key))) === "2",
        "It is there, and stays.",
      );
      await cluster.run(stage.put(c, key, "3"));
      stage.expect(valueIn(await cluster.run(stage.get(a, key))) === "3", "Writes go on.");
      return stage.end();
    },
  },
  {
    // Found by chance only where no peer remembers how far the directory had come: there it would be
    // copied from others before anybody could notice.
    name: "what two nodes acknowledge after their disks were full survives a loss of power of both",
    catches: ["full-disk-not-reopened", "actor-not-renewed-after-full-disk"],
    play: async () => {
      const stage = await Stage.open({ options: { diskFreeBytesMin: 1_048_576 } });
      const { cluster, a, b, c, key } = stage;
      await cluster.run(stage.put(a, key, "1"));
      for (const { disk } of [b, c]) disk.capacityBytes -= disk.freeBytes - 10;
      const told = await cluster.run(stage.put(a, key, "2", { timeoutMs: 500 }));
      stage.expect(told.outcome === "unknown", "Two disks had no room for it.");
      for (const { disk } of [b, c]) disk.capacityBytes += 2 ** 30;
      await stage.advance(5_000);
      const later = await cluster.run(stage.put(b, key, "3", { w: 3 }));
      stage.expect(later.outcome === "ok", "There is room again.");
      stage.expect(
        a.record(key)?.version.actor !== b.actor,
        `${b.id} may have forgotten what it minted, so it mints as another actor.`,
      );
      a.kill();
      for (const node of [b, c]) node.losePower();
      for (const node of [b, c]) await cluster.run(node.start());
      await cluster.time.runUntil(() => b.sees(c) && c.sees(b));
      const found = await cluster.run(stage.get(b, key));
      stage.expect(valueIn(found) === "3", "Both nodes acknowledged it and lost nothing since.");
      await cluster.run(a.start());
      await cluster.connected();
      return stage.end();
    },
  },
];
