import { describe, expect, test } from "vitest";
import { utf8, utf8Text } from "../../../src/core/bytes.ts";
import { parseNodeId } from "../../../src/core/ids.ts";
import type { NodeId } from "../../../src/core/ids.ts";
import type { Reply, RequestHandler, Transport } from "../../../src/ports/transport.ts";
import { InProcessNetwork, IS_LOST } from "../../../src/testing/in-process-network.ts";
import type { Fate } from "../../../src/testing/in-process-network.ts";
import { InProcessTransport } from "../../../src/testing/in-process-transport.ts";
import { RecordingTelemetry } from "../../../src/testing/recording-telemetry.ts";
import { VirtualTime } from "../../../src/testing/virtual-clock.ts";
import type { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { drain } from "../../support/virtual-cluster.ts";

const ONE = parseNodeId("n1");
const TWO = parseNodeId("n2");
const OPTIONS = { peerInFlightMax: 10, peerSilenceMs: 1_000, peerReconnectDelayMs: 50 };

/** n1 asks, n2 repeats what it is asked; each message takes 5 ms unless told otherwise. */
class World {
  readonly time = new VirtualTime({ drain });
  readonly network: InProcessNetwork;
  readonly telemetry = new RecordingTelemetry();
  readonly seen: string[] = [];
  one!: Transport;
  oneClock!: VirtualClock;
  twoClock!: VirtualClock;

  constructor(fate: Fate = () => [5]) {
    this.network = new InProcessNetwork({ fate });
  }

  static async open(fate?: Fate): Promise<World> {
    const world = new World(fate);
    world.startOne();
    world.startTwo();
    await world.connected();
    return world;
  }

  startOne(): void {
    this.oneClock = this.time.clock();
    this.one = this.#start(ONE, this.oneClock, () => {});
  }

  startTwo(handler: RequestHandler = this.echo): Transport {
    this.twoClock = this.time.clock();
    return this.#start(TWO, this.twoClock, handler);
  }

  readonly echo: RequestHandler = (payload, answer) => {
    this.seen.push(utf8Text(payload) ?? "");
    answer((writer) => writer.bytes(payload));
  };

  connected(): Promise<void> {
    return this.time.runUntil(() => this.one.peerState(TWO).kind === "connected");
  }

  ask(text: string, deadlineMs = 10_000): Reply[] {
    const replies: Reply[] = [];
    this.one.send(TWO, {
      deadline: this.time.now() + deadlineMs,
      encode: (writer) => writer.bytes(utf8(text)),
      onReply: (reply) => replies.push(reply),
    });
    return replies;
  }

  #start(node: NodeId, clock: VirtualClock, handler: RequestHandler): Transport {
    const { network, telemetry } = this;
    return InProcessTransport.open(node, OPTIONS, { network, clock, telemetry, handler });
  }
}

const LOST: readonly Reply[] = [{ kind: "unknown", reason: "connection-lost" }];
const LATE: readonly Reply[] = [{ kind: "unknown", reason: "deadline" }];

function payloads(replies: readonly Reply[]): readonly (string | undefined)[] {
  return replies.map((reply) => (reply.kind === "payload" ? utf8Text(reply.payload) : undefined));
}

describe("delays", () => {
  test("request and answer each take their time", async () => {
    const world = await World.open();
    const begun = world.time.now();
    const replies = world.ask("hello");
    await world.time.runUntil(() => replies.length > 0);
    expect(world.time.now() - begun).toBe(10);
  });

  test("a fate of its own holds for what one node says to another, in both roles", async () => {
    const world = await World.open();
    world.network.setFate(TWO, ONE, () => [100]);
    const begun = world.time.now();
    const replies = world.ask("hello");
    await world.time.runUntil(() => replies.length > 0);
    expect(world.time.now() - begun).toBe(105);
    world.network.setFate(TWO, ONE, undefined);
    const again = world.ask("hello");
    await world.time.runUntil(() => again.length > 0);
    expect(world.time.now() - begun).toBe(115);
  });

  test("messages overtake each other", async () => {
    const world = await World.open();
    const delays = [30, 20, 10];
    world.network.fate = ({ leg }) => [leg === "request" ? (delays.shift() ?? 0) : 0];
    for (const text of ["a", "b", "c"]) world.ask(text);
    await world.time.runUntil(() => world.seen.length === 3);
    expect(world.seen).toEqual(["c", "b", "a"]);
  });

  test("a fate sees who speaks, the leg and the bytes", async () => {
    const world = await World.open();
    const told: string[] = [];
    world.network.fate = ({ from, to, leg, payload }) => {
      told.push(`${from}>${to} ${leg} ${utf8Text(payload)}`);
      return [1];
    };
    const replies = world.ask("hello");
    await world.time.runUntil(() => replies.length > 0);
    expect(told).toEqual(["n1>n2 request hello", "n2>n1 answer hello"]);
  });
});

describe("losses", () => {
  test("a lost request is not seen and ends as unknown at its deadline", async () => {
    const world = await World.open();
    world.network.setFate(ONE, TWO, IS_LOST);
    const replies = world.ask("hello", 300);
    await world.time.runUntil(() => replies.length > 0);
    expect(replies).toEqual(LATE);
    expect(world.seen).toEqual([]);
    expect(world.one.peerState(TWO).kind).toBe("connected");
  });

  test("a lost answer leaves the request done and its sender in doubt", async () => {
    const world = await World.open();
    world.network.fate = ({ leg }) => (leg === "answer" ? [] : [5]);
    const replies = world.ask("hello", 300);
    await world.time.runUntil(() => replies.length > 0);
    expect(replies).toEqual(LATE);
    expect(world.seen).toEqual(["hello"]);
  });

  test("copies of a request are seen twice and answered once", async () => {
    const world = await World.open();
    world.network.fate = ({ leg }) => (leg === "request" ? [1, 40] : [1, 1]);
    const replies = world.ask("hello");
    await world.time.advance(100);
    expect(world.seen).toEqual(["hello", "hello"]);
    expect(payloads(replies)).toEqual(["hello"]);
  });

  test("silence ends the connection, dialling goes on, and it comes back when the loss ends", async () => {
    const world = await World.open();
    world.network.setFate(ONE, TWO, IS_LOST);
    const replies = world.ask("hello");
    await world.time.runUntil(() => replies.length > 0);
    expect(replies).toEqual(LOST);
    expect(world.one.peerState(TWO)).toEqual({
      kind: "unreachable",
      reason: "silent for 1000 ms with requests unanswered",
    });
    await world.time.advance(500);
    expect(world.one.peerState(TWO).kind).toBe("unreachable");
    expect(world.ask("hello")).toEqual([{ kind: "not-sent" }]);
    world.network.setFate(ONE, TWO, undefined);
    await world.connected();
    expect(world.telemetry.count("peerConnections", TWO, "lost")).toBe(1);
  });
});

describe("cuts", () => {
  test("a cut ends open requests at once; what is sent then is not-sent; healing reconnects", async () => {
    const world = await World.open();
    const replies = world.ask("hello");
    world.network.cut(ONE, TWO);
    expect(replies).toEqual(LOST);
    expect(world.ask("again")).toEqual([{ kind: "not-sent" }]);
    await world.time.advance(1_000);
    expect(world.seen).toEqual([]);
    expect(world.one.peerState(TWO)).toEqual({
      kind: "unreachable",
      reason: "the connection was reset",
    });
    world.network.heal(ONE, TWO);
    await world.connected();
    const after = world.ask("after");
    await world.time.runUntil(() => after.length > 0);
    expect(payloads(after)).toEqual(["after"]);
  });

  test("a cut of one direction leaves the connection of the other", async () => {
    const world = new World();
    world.startOne();
    const two = world.startTwo();
    const bothUp = () =>
      world.one.peerState(TWO).kind === "connected" && two.peerState(ONE).kind === "connected";
    await world.time.runUntil(bothUp);
    world.network.cut(ONE, TWO);
    await world.time.advance(100);
    expect(world.one.peerState(TWO).kind).toBe("unreachable");
    expect(two.peerState(ONE).kind).toBe("connected");
  });

  test("a request that was under way when the cut healed again may still arrive", async () => {
    const world = await World.open(({ leg }) => [leg === "request" ? 200 : 1]);
    const replies = world.ask("late");
    world.network.cut(ONE, TWO);
    world.network.heal(ONE, TWO);
    await world.time.advance(300);
    expect(world.seen).toEqual(["late"]);
    expect(replies).toEqual(LOST);
  });
});

describe("lives of a node", () => {
  test("a killed node resets its connections; its next life hears nothing of the old one", async () => {
    const world = await World.open(({ leg }) => [leg === "request" ? 200 : 1]);
    const replies = world.ask("for the first life");
    world.network.leave(TWO);
    world.twoClock.stop();
    expect(replies).toEqual(LOST);
    world.startTwo();
    await world.connected();
    await world.time.advance(500);
    expect(world.seen).toEqual([]);
  });

  test("a machine without power is silent, not reset", async () => {
    const world = await World.open();
    const replies = world.ask("hello");
    world.twoClock.stop();
    await world.time.advance(900);
    expect(replies).toEqual([]);
    expect(world.one.peerState(TWO).kind).toBe("connected");
    await world.time.advance(600);
    expect(replies).toEqual(LOST);
    world.network.leave(TWO);
    world.startTwo();
    await world.connected();
    expect(world.seen).toEqual([]);
  });

  test("an answer to a dead life of the asker reaches nobody, though correlations begin anew", async () => {
    const world = await World.open(({ leg }) => [leg === "answer" ? 100 : 1]);
    const dead = world.ask("dead");
    await world.time.runUntil(() => world.seen.length === 1);
    world.network.leave(ONE);
    world.oneClock.stop();
    world.startOne();
    await world.connected();
    const alive = world.ask("alive");
    await world.time.advance(500);
    expect(dead).toEqual([]);
    expect(payloads(alive)).toEqual(["alive"]);
  });

  test("an answer that is given after the asker came back reaches neither of its lives", async () => {
    const world = new World();
    world.startOne();
    const held: (() => void)[] = [];
    world.startTwo((payload, answer) => {
      held.push(() => answer((writer) => writer.bytes(payload)));
    });
    await world.connected();
    const dead = world.ask("dead");
    await world.time.runUntil(() => held.length === 1);
    world.network.leave(ONE);
    world.oneClock.stop();
    world.startOne();
    await world.connected();
    const alive = world.ask("alive");
    held[0]?.();
    await world.time.advance(100);
    expect([dead, alive]).toEqual([[], []]);
    held[1]?.();
    await world.time.advance(100);
    expect([dead, payloads(alive)]).toEqual([[], ["alive"]]);
  });

  test("a paused node keeps its connections for as long as nobody is kept waiting", async () => {
    const world = await World.open();
    world.twoClock.pause();
    const replies = world.ask("hello");
    await world.time.advance(500);
    expect(replies).toEqual([]);
    world.twoClock.resume();
    await world.time.runUntil(() => replies.length > 0);
    expect(payloads(replies)).toEqual(["hello"]);
  });

  test("a node that was paused itself does not blame its peers", async () => {
    const world = await World.open();
    const replies = world.ask("hello", 60_000);
    world.oneClock.pause();
    await world.time.advance(5_000);
    world.oneClock.resume();
    await world.time.runUntil(() => replies.length > 0);
    expect(payloads(replies)).toEqual(["hello"]);
    expect(world.one.peerState(TWO).kind).toBe("connected");
  });
});
