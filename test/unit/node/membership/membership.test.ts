import { describe, expect, test } from "vitest";
import { ByteWriter } from "../../../../src/core/codec.ts";
import { parsePeers } from "../../../../src/core/config.ts";
import { parseNodeId } from "../../../../src/core/ids.ts";
import type { NodeId } from "../../../../src/core/ids.ts";
import { firstClusterDocument } from "../../../../src/core/layout/cluster-document.ts";
import { encodeFailure } from "../../../../src/core/messages/answer.ts";
import { encodeHeartbeatAnswer } from "../../../../src/core/messages/heartbeat.ts";
import type { Heartbeat, HeartbeatAnswer } from "../../../../src/core/messages/heartbeat.ts";
import { decodeRequest } from "../../../../src/core/messages/request.ts";
import { Membership } from "../../../../src/node/membership/membership.ts";
import type { OutgoingRequest, Transport } from "../../../../src/ports/transport.ts";
import { RecordingTelemetry } from "../../../../src/testing/recording-telemetry.ts";
import { SeededRng } from "../../../../src/testing/seeded-rng.ts";
import { VirtualTime } from "../../../../src/testing/virtual-clock.ts";
import { drain, VirtualCluster } from "../../../support/virtual-cluster.ts";

const [N1, N2, N3] = [parseNodeId("n1"), parseNodeId("n2"), parseNodeId("n3")];
const EVERY_MS = 200;
const DIRECTORY = { directoryId: "0123456789abcdef", startEpoch: 1, position: 0 };
const REMEMBERED = { directoryId: "fedcba9876543210", startEpoch: 4, position: 77 };
const SAID: HeartbeatAnswer = {
  directory: DIRECTORY,
  documentVersion: 1,
  wallMs: 0,
  resynchronising: false,
  readOnly: false,
};

/** n1's membership over a transport whose peers answer when a test lets them. */
function bench() {
  const time = new VirtualTime({ drain, wallMs: 0 });
  const connected = new Set<NodeId>();
  const sent: { to: NodeId; at: number; payload: Uint8Array; request: OutgoingRequest }[] = [];
  /** By whom, what, and whether it counted as greeted before. */
  const heard: [NodeId, HeartbeatAnswer, boolean][] = [];
  const asked: Heartbeat[] = [];
  /** Peers that answer by themselves, and how soon. */
  const answersAfter = new Map<NodeId, number>();
  const reply = (
    request: OutgoingRequest | undefined,
    said: Partial<HeartbeatAnswer> = {},
  ): void => {
    const writer = new ByteWriter();
    encodeHeartbeatAnswer(writer, { ...SAID, ...said });
    request?.onReply({ kind: "payload", payload: writer.written() });
  };
  const clock = time.clock();
  const transport: Transport = {
    send(to, request) {
      if (!connected.has(to)) return request.onReply({ kind: "not-sent" });
      const writer = new ByteWriter();
      request.encode(writer);
      sent.push({ to, at: time.now(), payload: Uint8Array.from(writer.written()), request });
      const delayMs = answersAfter.get(to);
      if (delayMs !== undefined) time.after(delayMs, () => reply(request));
    },
    peerState: (peer) =>
      connected.has(peer) ? { kind: "connected" } : { kind: "unreachable", reason: "cut" },
    close: () => Promise.resolve(),
  };
  const membership = new Membership(
    {
      id: N1,
      heartbeatEveryMs: EVERY_MS,
      peerSuspectAfterMinMs: 300,
      peerSuspectAfterMaxMs: 600,
      peerSuspectInFlightMax: 2,
      clockOffsetMaxMs: 500,
    },
    {
      clock,
      rng: new SeededRng("membership"),
      telemetry: new RecordingTelemetry(),
      document: () => firstClusterDocument(parsePeers("n1=n1:1,n2=n2:1,n3=n3:1")),
      directory: () => DIRECTORY,
      remembered: (peer) => (peer === N2 ? REMEMBERED : undefined),
      documentVersion: () => 7,
      isResynchronising: () => true,
      isReadOnly: () => false,
      onHeard: (peer, answer) => {
        heard.push([peer, answer, membership.isGreeted(peer)]);
      },
      onAsked: (heartbeat) => asked.push(heartbeat),
    },
  );
  return {
    time,
    clock,
    membership,
    sent,
    heard,
    asked,
    transport,
    /** Usually a peer whose connection stands has dialled this node as well, and says its word. */
    connect: (peer: NodeId, { speaks = true }: { speaks?: boolean } = {}): void => {
      connected.add(peer);
      membership.connected(peer);
      if (speaks) membership.answer({ from: peer, directory: DIRECTORY, remembered: undefined });
    },
    lose: (peer: NodeId) => connected.delete(peer),
    answersAfter,
    /** Answers what the peer was asked last. */
    answer: (peer: NodeId, said: Partial<HeartbeatAnswer> = {}): void => {
      reply(sent.findLast(({ to }) => to === peer)?.request, said);
    },
    refuse: (peer: NodeId): void => {
      const last = sent.findLast(({ to }) => to === peer);
      const writer = new ByteWriter();
      encodeFailure(writer, { kind: "refused", reason: "epoch-mismatch" });
      last?.request.onReply({ kind: "payload", payload: writer.written() });
    },
  };
}

describe("heartbeats", () => {
  test("go out on a new connection at once, then every 200 ms give or take a quarter", async () => {
    const { connect, membership, sent, time, transport } = bench();
    membership.start(transport);
    await time.advance(1_000);
    expect(sent).toEqual([]);
    connect(N2);
    await time.advance(3_000);
    const times = sent.map(({ at }) => at);
    expect(times[0]).toBe(1_000);
    const pauses = times.slice(1).map((at, i) => at - (times[i] ?? 0));
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(0.75 * EVERY_MS);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(1.25 * EVERY_MS);
    expect(new Set(pauses).size).toBeGreaterThan(5);
  });

  test("say who asks, on which directory, and what is remembered of the peer's", () => {
    const { connect, membership, sent, transport } = bench();
    membership.start(transport);
    connect(N2);
    connect(N3);
    const said = sent.map(({ payload }) => decodeRequest(payload).request);
    expect(said).toEqual([
      { kind: "heartbeat", heartbeat: { from: N1, directory: DIRECTORY, remembered: REMEMBERED } },
      { kind: "heartbeat", heartbeat: { from: N1, directory: DIRECTORY, remembered: undefined } },
    ]);
  });

  test("are answered with this node's directory, clock and state, after what they say was heard", async () => {
    const { asked, membership, time } = bench();
    await time.advance(4_711);
    const heartbeat = { from: N3, directory: REMEMBERED, remembered: DIRECTORY };
    expect(membership.answer(heartbeat)).toEqual({
      directory: DIRECTORY,
      documentVersion: 7,
      wallMs: 4_711,
      resynchronising: true,
      readOnly: false,
    });
    expect(asked).toEqual([heartbeat]);
  });

  test("end when the node closes", async () => {
    const { connect, membership, sent, time, transport } = bench();
    membership.start(transport);
    connect(N2);
    membership.close();
    await time.advance(5_000);
    expect(sent).toHaveLength(1);
  });

  test("a connection that stood before is asked when the membership starts", () => {
    const { connect, membership, sent, transport } = bench();
    connect(N2);
    expect(sent).toEqual([]);
    membership.start(transport);
    expect(sent.map(({ to }) => to)).toEqual([N2]);
  });
});

describe("a peer is relied on", () => {
  test("once it has answered a heartbeat on the present connection, not before and not on an old one", () => {
    const { answer, connect, heard, lose, membership, transport } = bench();
    membership.start(transport);
    connect(N2);
    expect(membership.isReachable(N2)).toBe(false);
    expect(membership.view(N2).state).toMatchObject({ kind: "unreachable" });
    answer(N2);
    expect(heard).toEqual([[N2, SAID, false]]);
    expect(membership.isReachable(N2)).toBe(true);
    expect(membership.view(N2).state).toEqual({ kind: "connected" });
    lose(N2);
    expect(membership.isReachable(N2)).toBe(false);
    expect(membership.view(N2).state).toEqual({ kind: "unreachable", reason: "cut" });
    connect(N2);
    expect(membership.isReachable(N2)).toBe(false);
  });

  test("not when it refuses: its layout is another one", () => {
    const { connect, heard, membership, refuse, transport } = bench();
    membership.start(transport);
    connect(N2);
    refuse(N2);
    expect(heard).toEqual([]);
    expect(membership.isGreeted(N2)).toBe(false);
  });

  test("once it has said as well what it remembers of this node, also on an earlier connection", () => {
    const { answer, connect, lose, membership, transport } = bench();
    membership.start(transport);
    connect(N2, { speaks: false });
    answer(N2);
    expect(membership.isGreeted(N2)).toBe(false);
    expect(membership.view(N2).state).toEqual({
      kind: "unreachable",
      reason: "connected, but it has sent no heartbeat yet",
    });
    membership.answer({ from: N2, directory: DIRECTORY, remembered: REMEMBERED });
    expect(membership.isGreeted(N2)).toBe(true);
    lose(N2);
    connect(N2, { speaks: false });
    answer(N2);
    expect(membership.isGreeted(N2)).toBe(true);
  });

  test("not while it leaves requests unanswered; an answer ends that", async () => {
    const { answer, connect, membership, time, transport } = bench();
    membership.start(transport);
    connect(N2);
    answer(N2);
    await time.advance(900);
    expect(membership.isReachable(N2)).toBe(false);
    expect(membership.isGreeted(N2)).toBe(true);
    expect(membership.view(N2).state).toMatchObject({ kind: "suspect" });
    answer(N2);
    expect(membership.view(N2).state).toEqual({ kind: "connected" });
  });

  test("also after a pause of this node's own, in which nothing was heard of anybody", async () => {
    const { answer, clock, connect, membership, sent, time, transport } = bench();
    membership.start(transport);
    connect(N2);
    answer(N2);
    await time.runUntil(() => sent.length === 2);
    clock.pause();
    await time.advance(60_000);
    clock.resume();
    await time.advance(100);
    expect(membership.isReachable(N2)).toBe(true);
  });
});

describe("a peer that is somebody new", () => {
  test("on a new connection is not judged by what it did on the old one", async () => {
    const { answer, answersAfter, connect, lose, membership, time, transport } = bench();
    membership.start(transport);
    answersAfter.set(N2, 700);
    connect(N2);
    await time.advance(3_000);
    expect(membership.view(N2).state).toMatchObject({ kind: "suspect" });
    lose(N2);
    answersAfter.delete(N2);
    connect(N2);
    answer(N2);
    expect(membership.view(N2).state).toEqual({ kind: "connected" });
  });

  test("after a restart its clock is read anew", async () => {
    const { answer, connect, membership, time, transport } = bench();
    membership.start(transport);
    connect(N2);
    for (let i = 0; i < 5; i++) {
      answer(N2, { wallMs: time.now() + 60_000 });
      await time.advance(260);
    }
    expect(membership.view(N2).clockOffset?.offsetMs).toBeGreaterThan(59_000);
    connect(N2);
    answer(N2, { wallMs: time.now(), directory: { ...DIRECTORY, startEpoch: 2 } });
    expect(membership.view(N2).clockOffset?.offsetMs).toBe(0);
  });
});

describe("the order in which peers are asked", () => {
  function both() {
    const world = bench();
    world.membership.start(world.transport);
    for (const peer of [N2, N3]) {
      world.connect(peer);
      world.answer(peer);
    }
    const isFirst = (peer: NodeId, other: NodeId, purpose: "read" | "write" = "read"): boolean =>
      world.membership.cost(peer, purpose) < world.membership.cost(other, purpose);
    return { ...world, isFirst };
  }

  test("equals cost the same: the preference list decides", () => {
    const { membership } = both();
    expect(membership.cost(N2, "read")).toBe(membership.cost(N3, "read"));
  });

  test("resynchronising ones come last for reads, read-only ones for writes", async () => {
    const { answer, isFirst, membership, time } = both();
    await time.advance(260);
    answer(N3, { resynchronising: true });
    answer(N2);
    expect(isFirst(N2, N3)).toBe(true);
    expect(membership.cost(N2, "write")).toBe(membership.cost(N3, "write"));
    await time.advance(260);
    answer(N3, { readOnly: true });
    answer(N2);
    expect(isFirst(N2, N3, "write")).toBe(true);
    expect(membership.cost(N2, "read")).toBe(membership.cost(N3, "read"));
  });

  test("a suspect one comes after one that answers", async () => {
    const { answersAfter, isFirst, time } = both();
    answersAfter.set(N2, 1);
    await time.advance(1_000);
    expect(isFirst(N2, N3)).toBe(true);
  });

  test("so does one without a connection, and one that was not heard of yet", () => {
    const { connect, isFirst, lose } = both();
    lose(N3);
    expect(isFirst(N2, N3)).toBe(true);
    connect(N3);
    expect(isFirst(N2, N3)).toBe(true);
  });

  test("and one whose heartbeats take four times and 20 ms longer than the quickest", async () => {
    const { answersAfter, isFirst, membership, time } = both();
    answersAfter.set(N2, 1).set(N3, 15);
    await time.advance(5_000);
    expect(membership.cost(N2, "read")).toBe(membership.cost(N3, "read"));
    answersAfter.set(N3, 60);
    await time.advance(5_000);
    expect(isFirst(N2, N3)).toBe(true);
    expect(membership.isReachable(N3)).toBe(true);
  });
});

describe("in a cluster", () => {
  test("nodes that have stopped leave nothing behind that would still happen", async () => {
    const cluster = await VirtualCluster.open();
    for (const node of cluster.nodes) await cluster.run(node.stop());
    let events = 0;
    while (events < 100 && (await cluster.time.step())) events += 1;
    expect(events).toBeLessThan(100);
  });

  test("until it was greeted a peer is asked for nothing, and written to", async () => {
    const cluster = await VirtualCluster.open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    cluster.cut([n1], [n2, n3]);
    cluster.fate = ({ leg, from, to }) => {
      const isHeartbeat = leg === "answer" && (from === "n2" || from === "n3") && to === "n1";
      return isHeartbeat ? [] : [1];
    };
    cluster.heal([n1], [n2, n3]);
    await cluster.time.advance(150);
    cluster.requests.length = 0;
    expect((await cluster.errorOf(n1.get("k"))).code).toBe("read-unavailable");
    expect(cluster.requests).toEqual([]);
    await cluster.run(n1.put("k", "v", { w: 1 }));
    await cluster.time.advance(100);
    expect(cluster.stored("k")).toEqual(["v", "v", "v"]);
  });
});
