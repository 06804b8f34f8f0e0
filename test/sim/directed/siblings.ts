import type { VirtualClusterOptions } from "../../support/virtual-cluster.ts";
import { writeIdOf } from "../../support/virtual-cluster.ts";
import type { Schedule } from "./schedule.ts";
import { Stage, valuesIn } from "./stage.ts";

/** Rounds of clients that read, merge and write. */
const ROUNDS = 100;

function open(
  bucket: VirtualClusterOptions["bucket"] = {},
  opts: VirtualClusterOptions = {},
): Promise<Stage> {
  return Stage.open({ ...opts, bucket: { mode: "siblings", ...bucket } });
}

/** Blind writes make siblings, which shortens the scripts. */
const BESIDE = { blindWrites: "sibling" } as const;

/** A loses power before its own disk has what B and C acknowledged. */
async function mintAndForget(stage: Stage, value: string): Promise<void> {
  const { a, b, c, key, cluster } = stage;
  // With a fresh lease the clock of A needs no disk.
  await cluster.run(stage.put(a, `${key} of another batch`, "before"));
  a.disk.pause = (work) => (work === "batch" ? new Promise(() => {}) : Promise.resolve());
  const told = await cluster.run(stage.put(a, key, value));
  stage.expect(told.outcome === "ok", "B and C acknowledge it.");
  stage.expect(
    [b, c].every((node) => node.siblings(key)?.siblings.length === 1),
    "They have it.",
  );
  a.losePower(() => 0);
  a.disk.pause = () => Promise.resolve();
  await cluster.run(a.start());
  await cluster.connected();
  await cluster.whole();
  stage.expect(a.siblings(key) === undefined, "A does not.");
}

/** Schedules of buckets that keep siblings. */
export const SIBLINGS: readonly Schedule[] = [
  {
    // kv679_dataloss of Riak: what a node mints after it forgot must not stand for what it had minted.
    name: "siblings: a replica that lost its copy of a key mints as somebody new",
    catches: ["actor-not-renewed", "dots-counted-by-the-record"],
    play: async () => {
      const stage = await open(BESIDE);
      const { cluster, a, b, c, key } = stage;
      await mintAndForget(stage, "bob");
      await cluster.run(stage.put(a, key, "jon"));
      const own = await cluster.run(stage.get(a, key, { r: 1 }));
      stage.expect(valuesIn(own) === "jon", "All that A holds is its own.");
      await cluster.run(stage.put(b, key, "phil", { context: own.context }));
      const read = await cluster.run(stage.get(c, key));
      stage.expect(valuesIn(read) === "bob,phil", "Nobody who wrote has seen bob.");
      return stage.end();
    },
  },
  {
    // kv679_dataloss_fb and _fb2: others hold older and newer versions, and hand them over in a hostile order.
    name: "siblings: what a forgetful replica mints, handed over late and last, hides nothing",
    catches: ["dots-counted-by-the-record"],
    play: async () => {
      const stage = await open(BESIDE);
      const { cluster, a, b, c, key } = stage;
      await mintAndForget(stage, "bob");
      const fromB = stage.hold({ kind: "write", leg: "request", from: b.id });
      const jon = stage.put(b, key, "jon", { timeoutMs: 5_000 });
      const fromA = stage.hold({ kind: "write", leg: "request", from: a.id });
      const phil = stage.put(a, key, "phil", { timeoutMs: 5_000 });
      await stage.until(() => fromA.count === 2 && fromB.count === 2, "Both are under way.");
      fromA.release();
      await cluster.run(phil);
      await stage.advance(100);
      fromB.release();
      await cluster.run(jon);
      const read = await cluster.run(stage.get(c, key));
      stage.expect(valuesIn(read) === "bob,jon,phil", "All three are concurrent.");
      return stage.end();
    },
  },
  {
    name: "siblings: a replica whose own disk refused what it had sent out mints as somebody new",
    catches: ["refused-by-own-disk-is-nothing"],
    play: async () => {
      const stage = await open(BESIDE);
      const { cluster, a, b, c, key } = stage;
      const other = `${key} of another batch`;
      await cluster.run(stage.put(a, other, "before"));
      let goOn: () => void = () => {};
      const stuck = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      a.disk.pause = (work) => (work === "batch" ? stuck : Promise.resolve());
      await cluster.run(stage.put(a, other, "occupies the disk of A"));
      const bob = await cluster.run(stage.put(a, key, "bob", { timeoutMs: 40 }));
      stage.expect(bob.outcome === "ok", "B and C acknowledge it.");
      await stage.advance(50);
      goOn();
      a.disk.pause = () => Promise.resolve();
      await stage.advance(50);
      stage.expect(a.siblings(key) === undefined, "It came too late for the disk of A.");
      await cluster.run(stage.put(a, key, "jon"));
      const own = await cluster.run(stage.get(a, key, { r: 1 }));
      await cluster.run(stage.put(b, key, "phil", { context: own.context }));
      const read = await cluster.run(stage.get(c, key));
      stage.expect(valuesIn(read) === "bob,phil", "Nobody who wrote has seen bob.");
      return stage.end();
    },
  },
  {
    name: "siblings: who holds a later version of an actor has its earlier ones, which were lost on the way",
    catches: ["new-version-alone"],
    play: async () => {
      const stage = await open(BESIDE);
      const { cluster, a, b, c, key } = stage;
      const toB = stage.hold({ kind: "write", leg: "request", from: a.id, to: b.id });
      await cluster.run(stage.put(a, key, "1"));
      toB.drop();
      await stage.advance(100);
      toB.release();
      await cluster.run(stage.put(a, key, "2", { w: 3 }));
      const read = await cluster.run(stage.get(b, key, { r: 1 }));
      stage.expect(valuesIn(read) === "1,2", "The record came whole.");
      await cluster.run(stage.put(c, key, "3", { context: read.context }));
      return stage.end();
    },
  },
  {
    name: "siblings: a retry that became a second dot is read as one version, and hides no other",
    catches: ["fold-discards"],
    play: async () => {
      const stage = await open(BESIDE);
      const { cluster, a, b, c, key } = stage;
      const writes = stage.hold({ kind: "write", leg: "request", from: a.id });
      await cluster.run(stage.put(a, key, "other", { w: 1 }));
      const writeId = writeIdOf("tried-twice");
      const first = await cluster.run(stage.put(a, key, "twice", { writeId, timeoutMs: 300 }));
      stage.expect(first.outcome === "unknown", "A alone holds the first attempt.");
      // Who is to know it must not be asked.
      const away = stage.hold({ kind: "learn", to: a.id });
      const again = await cluster.run(stage.put(b, key, "twice", { writeId, attempt: 2 }));
      stage.expect(again.outcome === "ok", "It is minted by B.");
      away.release();
      writes.release();
      const read = await cluster.run(stage.get(c, key, { r: 3 }));
      stage.expect(a.siblings(key)?.siblings.length === 3, "It has two dots.");
      stage.expect(valuesIn(read) === "other,twice", "It is one version.");
      return stage.end();
    },
  },
  {
    name: "siblings: a retry of an acknowledged write that is superseded by now has no second effect",
    catches: ["minter-ignores-write-id"],
    play: async () => {
      const stage = await open();
      const { cluster, a, b, c, key } = stage;
      const first = await cluster.run(stage.put(a, key, "first"));
      await cluster.run(stage.put(b, key, "second"));
      const again = await cluster.run(stage.put(c, key, "first", { attempt: 2 }));
      stage.expect(again.stamp === first.stamp, "It is told the stamp of the first attempt.");
      const read = await cluster.run(stage.get(b, key));
      stage.expect(valuesIn(read) === "second", "What superseded it stays.");
      return stage.end();
    },
  },
  {
    name: "siblings: a blind write supersedes what was acknowledged, also where its minter missed it",
    catches: ["blind-write-sees-own-disk-alone"],
    play: async () => {
      const stage = await open();
      const { cluster, a, b, c, key } = stage;
      const toC = stage.hold({ kind: "write", leg: "request", from: a.id, to: c.id });
      await cluster.run(stage.put(a, key, "first"));
      toC.drop();
      await stage.advance(100);
      await cluster.run(stage.put(c, key, "second"));
      const read = await cluster.run(stage.get(b, key));
      stage.expect(valuesIn(read) === "second", "They did not overlap.");
      return stage.end();
    },
  },
  {
    name: "siblings: a context of another key is refused, and supersedes nothing",
    catches: ["context-of-any-key"],
    play: async () => {
      const stage = await open();
      const { cluster, a, b, key } = stage;
      await cluster.run(stage.put(a, key, "here"));
      const there = await cluster.run(stage.put(a, `${key} another`, "there"));
      const told = await cluster.run(stage.put(b, key, "mixed up", { context: there.context }));
      stage.expect(told.code === "context-invalid", "It is no context of the key.");
      return stage.end();
    },
  },
  {
    name: "siblings: the context of a write covers nothing that its writer has not seen",
    catches: ["context-of-a-write-tells-too-much"],
    play: async () => {
      const stage = await open(BESIDE);
      const { cluster, a, c, key } = stage;
      await cluster.run(stage.put(a, key, "theirs"));
      const mine = await cluster.run(stage.put(a, key, "mine"));
      await cluster.run(stage.put(a, key, "again", { context: mine.context }));
      const read = await cluster.run(stage.get(c, key));
      stage.expect(valuesIn(read).includes("theirs"), "Nobody has seen theirs.");
      return stage.end();
    },
  },
  {
    name: "siblings: one over the limit is refused, and one that supersedes them is taken",
    catches: ["siblings-max-ignored"],
    play: async () => {
      const stage = await open({ ...BESIDE, siblingsMax: 2 });
      const { cluster, a, b, key } = stage;
      for (const value of ["1", "2"]) await cluster.run(stage.put(a, key, value, { w: 3 }));
      const over = await cluster.run(stage.put(b, key, "3"));
      stage.expect(over.code === "too-many-siblings", "Two are enough.");
      const { context } = await cluster.run(stage.get(b, key));
      const merged = await cluster.run(stage.put(b, key, "all", { context }));
      stage.expect(merged.outcome === "ok", "It makes room.");
      return stage.end();
    },
  },
  {
    name: "siblings: a delete beside a value stands until somebody has seen both",
    catches: ["tombstones-dropped"],
    play: async () => {
      const stage = await open();
      const { cluster, a, b, c, key } = stage;
      const { context } = await cluster.run(stage.put(a, key, "1"));
      await cluster.run(stage.put(b, key, "2", { context }));
      const writeId = writeIdOf("gone");
      await cluster.run(stage.delete(c, key, { context, writeId }));
      const both = await cluster.run(stage.get(a, key));
      stage.expect(valuesIn(both) === "2,gone deleted", "They are concurrent.");
      await cluster.run(stage.put(b, key, "3", { context: both.context }));
      stage.expect(valuesIn(await cluster.run(stage.get(c, key))) === "3", "One has seen both.");
      return stage.end();
    },
  },
  {
    // sibling_explosion of Riak: without dots every round would leave one more.
    name: "siblings: two clients that are always one write behind make two siblings and no more",
    catches: ["contexts-cover-all-or-nothing"],
    play: async () => {
      const stage = await open();
      const { cluster, a, key } = stage;
      const contexts: (string | undefined)[] = [undefined, undefined];
      let most = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const client = round % 2;
        const value = `${round}`;
        await cluster.run(stage.put(a, key, value, { context: contexts[client] }));
        const read = await cluster.run(stage.get(a, key));
        contexts[client] = read.context;
        most = Math.max(most, read.siblings?.length ?? 0);
        stage.expect(valuesIn(read).split(",").includes(value), "A client reads what it wrote.");
      }
      stage.expect(most <= 2, `There were ${most} siblings.`);
      return stage.end();
    },
  },
  {
    name: "siblings: ten clients that read, merge and write a set lose nothing, be they cut from each other",
    catches: ["context-ignored", "one-actor-wins"],
    play: async () => {
      const stage = await open();
      const { cluster, a, b, c, key } = stage;
      const clients = Array.from({ length: 10 }, (_, number) => number);
      const acknowledged: string[] = [];
      const add = async (client: number, round: number): Promise<void> => {
        const node = cluster.node((client % 3) + 1);
        const read = await stage.get(node, key, { timeoutMs: 200 });
        if (read.outcome !== "ok") return;
        const element = `${client}-${round}`;
        const known = new Set(
          valuesIn(read)
            .split(/[, ]/)
            .filter((it) => it !== ""),
        );
        const value = [element, ...known].join(" ");
        const request = { writeId: writeIdOf(element), context: read.context, timeoutMs: 200 };
        const told = await stage.put(node, key, value, request);
        if (told.outcome === "ok") acknowledged.push(element);
      };
      for (let round = 0; round < 12; round++) {
        if (round === 4) cluster.cut([c], [a, b]);
        if (round === 8) {
          cluster.heal([c], [a, b]);
          await cluster.connected();
        }
        await cluster.run(Promise.all(clients.map((client) => add(client, round))));
      }
      const last = await cluster.run(stage.get(b, key, { r: 3 }));
      const kept = new Set(valuesIn(last).split(/[, ]/));
      const lost = acknowledged.filter((element) => !kept.has(element));
      stage.expect(acknowledged.length > 80, `${acknowledged.length} were acknowledged.`);
      stage.expect(lost.length === 0, `Lost: ${lost.join()}.`);
      return stage.end();
    },
  },
];
