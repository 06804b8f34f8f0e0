import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { compareBytes, utf8, utf8Text } from "../../src/core/bytes.ts";
import type { NodeId } from "../../src/core/ids.ts";
import { parseNodeId } from "../../src/core/ids.ts";
import type { Reply, RequestHandler, Transport } from "../../src/ports/transport.ts";

export interface TransportLimits {
  readonly peerInFlightMax: number;
  readonly peerSilenceMs: number;
}

/** Two or more nodes that can reach each other. */
export interface TransportWorld {
  /** Opens a node's transport, for the first time or again. */
  start(node: NodeId, handler: RequestHandler): Promise<Transport>;
  /** How often the bound was met on this node. */
  refusals(node: NodeId, bound: string): number;
  now(): number;
  /** Lets time pass until the condition holds; fails the test when it never does. */
  until(what: string, condition: () => boolean): Promise<void>;
  close(): Promise<void>;
}

type SendAnswer = Parameters<RequestHandler>[1];

const ONE = parseNodeId("n1");
const TWO = parseNodeId("n2");
const LIMITS: TransportLimits = { peerInFlightMax: 200, peerSilenceMs: 800 };
const LONG_MS = 60_000;
const MiB = 1024 * 1024;

/** The contract of Transport: n1 asks, n2 answers. */
export function transportSuite(
  name: string,
  makeWorld: (nodes: readonly NodeId[], limits: TransportLimits) => Promise<TransportWorld>,
): void {
  describe(`transport: ${name}`, () => {
    let world: TransportWorld;
    let one: Transport;
    /** Requests that n2 has and has not answered. */
    let held: { payload: Uint8Array; answer: SendAnswer }[];

    beforeEach(async () => {
      world = await makeWorld([ONE, TWO], LIMITS);
      held = [];
    });

    afterEach(() => world.close());

    const hold: RequestHandler = (payload, answer) => void held.push({ payload, answer });
    const echo: RequestHandler = (payload, answer) => answer((writer) => writer.bytes(payload));
    const ignore: RequestHandler = () => {
      throw new Error("nobody asks this node");
    };

    async function startBoth(handler: RequestHandler): Promise<Transport> {
      one = await world.start(ONE, ignore);
      const two = await world.start(TWO, handler);
      await connected();
      return two;
    }

    function connected(): Promise<void> {
      return world.until("n1 is connected to n2", () => one.peerState(TWO).kind === "connected");
    }

    /** Sends; the replies that come are collected. */
    function ask(payload: Uint8Array | string, deadlineMs = LONG_MS): Reply[] {
      const replies: Reply[] = [];
      one.send(TWO, {
        deadline: world.now() + deadlineMs,
        encode: (writer) => writer.bytes(typeof payload === "string" ? utf8(payload) : payload),
        onReply: (reply) => replies.push(reply),
      });
      return replies;
    }

    function answered(replies: readonly Reply[]): Promise<void> {
      return world.until("a reply", () => replies.length > 0);
    }

    test("a request reaches the handler as it was, its answer the sender", async () => {
      await startBoth((payload, answer) =>
        answer((writer) => {
          writer.u16(payload.byteLength);
          writer.bytes(payload);
        }),
      );
      const payload = Uint8Array.from({ length: 256 }, (_, i) => i);
      const replies = ask(payload);
      await answered(replies);
      expect([...bytesOf(replies[0])]).toEqual([1, 0, ...payload]);
    });

    test("empty requests and empty answers are messages like others", async () => {
      const seen: number[] = [];
      await startBoth((payload, answer) => {
        seen.push(payload.byteLength);
        answer(() => {});
      });
      const replies = ask(new Uint8Array(0));
      await answered(replies);
      expect(seen).toEqual([0]);
      expect(bytesOf(replies[0])).toHaveLength(0);
    });

    test("encode is called within send, once", async () => {
      await startBoth(echo);
      let calls = 0;
      const replies: Reply[] = [];
      one.send(TWO, {
        deadline: world.now() + LONG_MS,
        encode: (writer) => {
          calls += 1;
          writer.u8(7);
        },
        onReply: (reply) => replies.push(reply),
      });
      expect(calls).toBe(1);
      await answered(replies);
      expect(calls).toBe(1);
    });

    test("150 requests at once, answered in reverse order: each gets its own answer, once", async () => {
      await startBoth(hold);
      const asked = Array.from({ length: 150 }, (_, i) => ask(`request ${i}`));
      await world.until("all requests have arrived", () => held.length === asked.length);
      for (const { payload, answer } of held.toReversed()) {
        answer((writer) => writer.bytes(utf8(`answer to ${utf8Text(payload)}`)));
      }
      await world.until("all are answered", () => asked.every((replies) => replies.length > 0));
      const texts = asked.map((replies) => replies.map((reply) => utf8Text(bytesOf(reply))));
      expect(texts).toEqual(asked.map((_, i) => [`answer to request ${i}`]));
    });

    test("both nodes ask each other over and over: no answer is lost, doubled or mixed up", async () => {
      one = await world.start(ONE, echo);
      const two = await world.start(TWO, echo);
      await world.until(
        "both are connected",
        () => one.peerState(TWO).kind === "connected" && two.peerState(ONE).kind === "connected",
      );
      const replies = new Map<string, Reply[]>();
      const next = (transport: Transport, to: NodeId, name: string, left: number): void => {
        const id = `${name} ${left} ${"x".repeat((left * 97) % 3_000)}`;
        replies.set(id, []);
        transport.send(to, {
          deadline: world.now() + LONG_MS,
          encode: (writer) => writer.bytes(utf8(id)),
          onReply: (reply) => {
            replies.get(id)?.push(reply);
            if (left > 0) next(transport, to, name, left - 1);
          },
        });
      };
      const chains = 10;
      const rounds = 30;
      for (let chain = 0; chain < chains; chain++) {
        next(one, TWO, `n1/${chain}`, rounds - 1);
        next(two, ONE, `n2/${chain}`, rounds - 1);
      }
      const total = 2 * chains * rounds;
      await world.until(
        "all are answered",
        () => replies.size === total && [...replies.values()].every((got) => got.length > 0),
      );
      for (const [id, got] of replies) expect(got.map((r) => utf8Text(bytesOf(r)))).toEqual([id]);
    });

    test("payloads of 1 MiB travel both ways, in between small ones", async () => {
      await startBoth(echo);
      const large = [0, 1, 2].map((seed) => pattern(MiB, seed));
      const asked = large.flatMap((payload) => [
        { payload, replies: ask(payload) },
        { payload: utf8("small"), replies: ask("small") },
      ]);
      await world.until("all are answered", () => asked.every((each) => each.replies.length > 0));
      for (const { payload, replies } of asked) {
        expect(replies).toHaveLength(1);
        expect(compareBytes(bytesOf(replies[0]), payload)).toBe(0);
      }
    });

    test("a reply's payload stays what it was while more arrive", async () => {
      await startBoth(echo);
      const first = ask("the first answer");
      await answered(first);
      const more = Array.from({ length: 50 }, (_, i) => ask(pattern(5_000, i)));
      await world.until("all are answered", () => more.every((replies) => replies.length > 0));
      expect(utf8Text(bytesOf(first[0]))).toBe("the first answer");
      for (const [i, replies] of more.entries()) {
        expect(compareBytes(bytesOf(replies[0]), pattern(5_000, i))).toBe(0);
      }
    });

    test("a peer that was never there: not-sent within the call, and it is unreachable", async () => {
      one = await world.start(ONE, ignore);
      expect(ask("hello")).toEqual([{ kind: "not-sent" }]);
      expect(one.peerState(TWO)).toMatchObject({ kind: "unreachable" });
    });

    test("nobody of that name: not-sent within the call, and it is unreachable", async () => {
      await startBoth(echo);
      const replies: Reply[] = [];
      const nobody = parseNodeId("nobody");
      one.send(nobody, {
        deadline: world.now() + LONG_MS,
        encode: () => {},
        onReply: (reply) => replies.push(reply),
      });
      expect(replies).toEqual([{ kind: "not-sent" }]);
      expect(one.peerState(nobody).kind).toBe("unreachable");
    });

    test("a peer that vanishes leaves its 20 open requests unknown, each once, then not-sent", async () => {
      const two = await startBoth(hold);
      const asked = Array.from({ length: 20 }, (_, i) => ask(`request ${i}`));
      await world.until("all requests have arrived", () => held.length === asked.length);
      await two.close();
      await world.until("all are answered", () => asked.every((replies) => replies.length > 0));
      for (const { answer } of held) answer((writer) => writer.u8(1));
      expect(one.peerState(TWO).kind).toBe("unreachable");
      expect(ask("too late")).toEqual([{ kind: "not-sent" }]);
      for (const replies of asked) {
        expect(replies).toEqual([{ kind: "unknown", reason: "connection-lost" }]);
      }
    });

    test("a peer that comes back is reached again without being told to", async () => {
      const first = await startBoth(hold);
      const lost = ask("lost");
      await world.until("it has arrived", () => held.length === 1);
      await first.close();
      await answered(lost);
      await world.start(TWO, echo);
      await connected();
      const replies = ask("again");
      await answered(replies);
      expect(utf8Text(bytesOf(replies[0]))).toBe("again");
      // The answer of the first life finds nobody.
      held[0]?.answer((writer) => writer.bytes(utf8("a ghost")));
      expect(lost).toEqual([{ kind: "unknown", reason: "connection-lost" }]);
    });

    test("with 200 requests open the next is not-sent and counted; an answer makes room", async () => {
      await startBoth(hold);
      const asked = Array.from({ length: LIMITS.peerInFlightMax }, () => ask("request"));
      expect(asked.flat()).toEqual([]);
      expect(world.refusals(ONE, "peerInFlightMax")).toBe(0);
      expect(ask("one too many")).toEqual([{ kind: "not-sent" }]);
      expect(ask("and another")).toEqual([{ kind: "not-sent" }]);
      expect(world.refusals(ONE, "peerInFlightMax")).toBe(2);
      await world.until("all requests have arrived", () => held.length === asked.length);
      held[5]?.answer((writer) => writer.u8(1));
      await world.until("one is answered", () => asked.flat().length === 1);
      expect(ask("room")).toEqual([]);
      expect(one.peerState(TWO).kind).toBe("connected");
    });

    test("a request whose deadline passes ends as unknown; the others go on, a late answer is dropped", async () => {
      await startBoth(hold);
      const late = ask("late", LIMITS.peerSilenceMs / 8);
      const patient = ask("patient");
      await world.until("both have arrived", () => held.length === 2);
      await answered(late);
      expect(late).toEqual([{ kind: "unknown", reason: "deadline" }]);
      expect(patient).toEqual([]);
      for (const { answer } of held) answer((writer) => writer.u8(1));
      await answered(patient);
      expect(patient[0]?.kind).toBe("payload");
      expect(late).toHaveLength(1);
    });

    test("a peer that is silent with requests open loses its connection", async () => {
      await startBoth(hold);
      const asked = [ask("one"), ask("two")];
      await world.until("all are answered", () => asked.every((replies) => replies.length > 0));
      for (const replies of asked) {
        expect(replies).toEqual([{ kind: "unknown", reason: "connection-lost" }]);
      }
    });

    test("a silent peer loses its connection also if no request waits for long", async () => {
      await startBoth(hold);
      const giveUpAt = world.now() + 8 * LIMITS.peerSilenceMs;
      const ended: Reply[] = [];
      while (!ended.some(isLost) && world.now() < giveUpAt) {
        const short = ask("short", LIMITS.peerSilenceMs / 8);
        await answered(short);
        ended.push(...short);
      }
      expect(ended.at(-1)).toEqual({ kind: "unknown", reason: "connection-lost" });
    });

    test("a peer that answers something is not silent, however long one request takes", async () => {
      await startBoth((payload, answer) => {
        if (utf8Text(payload) === "slow") held.push({ payload, answer });
        else answer((writer) => writer.bytes(payload));
      });
      const slow = ask("slow");
      const until = world.now() + 3 * LIMITS.peerSilenceMs;
      while (world.now() < until) {
        const quick = ask("quick");
        await answered(quick);
        expect(quick[0]?.kind).toBe("payload");
      }
      expect(slow).toEqual([]);
      held[0]?.answer((writer) => writer.u8(1));
      await answered(slow);
      expect(slow[0]?.kind).toBe("payload");
    });

    test("close ends open requests as unknown, each once; afterwards nothing is sent", async () => {
      await startBoth(hold);
      const asked = Array.from({ length: 20 }, (_, i) => ask(`request ${i}`));
      await world.until("all requests have arrived", () => held.length === asked.length);
      await one.close();
      for (const { answer } of held) answer((writer) => writer.u8(1));
      for (const replies of asked) {
        expect(replies).toEqual([{ kind: "unknown", reason: "connection-lost" }]);
      }
      expect(ask("closed")).toEqual([{ kind: "not-sent" }]);
      expect(one.peerState(TWO).kind).toBe("unreachable");
    });
  });
}

function isLost(reply: Reply): boolean {
  return reply.kind === "unknown" && reply.reason === "connection-lost";
}

function bytesOf(reply: Reply | undefined): Uint8Array {
  if (reply?.kind === "payload") return reply.payload;
  throw new Error(`expected a payload, got ${JSON.stringify(reply)}`);
}

function pattern(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 7 + seed) & 0xff);
}
