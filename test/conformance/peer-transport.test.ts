import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { utf8, utf8Text } from "../../src/core/bytes.ts";
import { parseClusterId, parseNodeId } from "../../src/core/ids.ts";
import type { NodeId } from "../../src/core/ids.ts";
import type { Member } from "../../src/core/layout/layout.ts";
import { payloadBytesMax } from "../../src/core/messages/request.ts";
import type { Reply, RequestHandler } from "../../src/ports/transport.ts";
import type { PeerTransport } from "../../src/node/io/peer/peer-transport.ts";
import { proofOf } from "../../src/node/io/peer/handshake.ts";
import { systemClock } from "../../src/node/io/system-clock.ts";
import { drain } from "../support/virtual-cluster.ts";
import { membersOnLoopback, openPeer, until, VALUE_BYTES_MAX } from "./support/peers.ts";
import {
  frame,
  framed,
  frameHeader,
  introduction,
  openFakePeer,
  openRecordingProxy,
  RawDialler,
  requestText,
  upgradeText,
} from "./support/raw-peer.ts";

const ONE = parseNodeId("n1");
const TWO = parseNodeId("n2");
const LONG_MS = 60_000;
const PAYLOAD_BYTES_MAX = payloadBytesMax(VALUE_BYTES_MAX);

const ECHOED = "are you there?";

const echo: RequestHandler = (payload, answer) => answer((writer) => writer.bytes(payload));

/** Two members, n1 and n2. */
async function pair(): Promise<{ members: readonly Member[]; one: Member; two: Member }> {
  const members = await membersOnLoopback([ONE, TWO]);
  const [one, two] = members;
  if (one === undefined || two === undefined) throw new Error("two members were asked for");
  return { members, one, two };
}

/** The same members, one of them behind another address: addresses are no part of the epoch. */
function rerouted(members: readonly Member[], id: NodeId, address: Member["address"]) {
  return members.map((member) => (member.id === id ? { ...member, address } : member));
}

function ask(transport: PeerTransport, to: NodeId, payload: Uint8Array | string): Reply[] {
  const replies: Reply[] = [];
  transport.send(to, {
    deadline: systemClock.now() + LONG_MS,
    encode: (writer) => writer.bytes(typeof payload === "string" ? utf8(payload) : payload),
    onReply: (reply) => replies.push(reply),
  });
  return replies;
}

function connected(transport: PeerTransport, peer: NodeId): Promise<void> {
  return until(`${peer} is connected`, () => transport.peerState(peer).kind === "connected");
}

function reasonOf(transport: PeerTransport, peer: NodeId): string {
  const state = transport.peerState(peer);
  return state.kind === "unreachable" ? state.reason : "";
}

async function echoOf(transport: PeerTransport, peer: NodeId): Promise<string | undefined> {
  const replies = ask(transport, peer, ECHOED);
  await until("it answers", () => replies.length > 0);
  return replies[0]?.kind === "payload" ? utf8Text(replies[0].payload) : undefined;
}

async function closes(transport: PeerTransport): Promise<boolean> {
  let closed = false;
  const closing = transport.close().then(() => {
    closed = true;
  });
  await until("the node is closed", () => closed);
  await closing;
  return closed;
}

describe("a connection is refused, and the dialler's peerState says why", () => {
  const blue = { clusterId: parseClusterId("blue") };
  const green = { clusterId: parseClusterId("green") };

  test.each([
    ["the secrets differ", { secret: "guess" }, { secret: "right" }, /secret/],
    ["only the listener has a secret", {}, { secret: "right" }, /secret/],
    ["only the dialler has a secret", { secret: "right" }, {}, /secret/],
    ["the clusters differ", blue, green, /this is cluster 'green', not 'blue'/],
  ])("%s", async (_name, ofDialler, ofListener, reason) => {
    const { members, one, two } = await pair();
    let requests = 0;
    const handler: RequestHandler = () => (requests += 1);
    await using listener = await openPeer(two, members, { ...ofListener, handler });
    await using dialler = await openPeer(one, members, ofDialler);
    await until("it is refused", () => reason.test(reasonOf(dialler.transport, TWO)));
    expect(reasonOf(dialler.transport, TWO)).toMatch(/^refused: /);
    expect(ask(dialler.transport, TWO, "let me in")).toEqual([{ kind: "not-sent" }]);
    expect(dialler.telemetry.count("peerConnections", TWO, "connected")).toBe(0);
    expect(dialler.telemetry.count("peerConnections", TWO, "failed")).toBeGreaterThan(0);
    expect(dialler.telemetry.gauge("peerConnected", TWO)).toBe(0);
    expect(listener.transport.peerState(ONE).kind).toBe("unreachable");
    expect(requests).toBe(0);
  });

  test("another node is behind the address", async () => {
    const { members, one, two } = await pair();
    const three = parseNodeId("n3");
    const all = [...members, { id: three, zone: undefined, address: two.address }];
    // n2 listens where n1 expects n3 as well.
    await using _two = await openPeer(two, all, { handler: echo });
    await using dialler = await openPeer(one, all);
    await connected(dialler.transport, TWO);
    await until("n3 is refused", () => reasonOf(dialler.transport, three).includes("refused"));
    expect(reasonOf(dialler.transport, three)).toMatch(/this is node 'n2', not 'n3'/);
    expect(ask(dialler.transport, three, "hello")).toEqual([{ kind: "not-sent" }]);
  });

  test("the peer lists differ", async () => {
    const { members, one, two } = await pair();
    const more = [...members, { id: parseNodeId("n3"), zone: undefined, address: two.address }];
    await using _two = await openPeer(two, more, { handler: echo });
    await using dialler = await openPeer(one, members);
    await until("it is refused", () => /peer lists differ/.test(reasonOf(dialler.transport, TWO)));
    expect(reasonOf(dialler.transport, TWO)).toMatch(/^refused: epoch 1-/);
  });

  test("the dialler is no member", async () => {
    const { members, two } = await pair();
    const [stranger] = await membersOnLoopback([parseNodeId("n9")]);
    if (stranger === undefined) throw new Error("one member was asked for");
    await using _two = await openPeer(two, members, { handler: echo });
    await using dialler = await openPeer(stranger, members);
    await until("it is refused", () => /no member/.test(reasonOf(dialler.transport, TWO)));
    expect(reasonOf(dialler.transport, TWO)).toBe("refused: 'n9' is no member");
  });

  test("the protocol versions differ: the listener says so", async () => {
    const { members, two } = await pair();
    await using _two = await openPeer(two, members);
    using raw = await RawDialler.open(two.address);
    const headers = { ...introduction(ONE, TWO, members), "kv-peer-version": "1" };
    const { status, headers: said } = await raw.offer(headers);
    expect(status).toBe(403);
    expect(decodeURIComponent(said.get("kv-peer-refusal") ?? "")).toBe(
      "protocol version 1 is not 4",
    );
  });

  test("the protocol versions differ: the dialler shows what the listener said", async () => {
    const { members, one } = await pair();
    await using old = await openFakePeer({ refusal: "protocol version 1 is not 4" });
    await using dialler = await openPeer(one, rerouted(members, TWO, old.address));
    await until("it is refused", () => reasonOf(dialler.transport, TWO).includes("refused"));
    expect(reasonOf(dialler.transport, TWO)).toBe("refused: protocol version 1 is not 4");
  });

  test("a listener that accepts anybody but cannot prove the secret is not believed", async () => {
    const { members, one } = await pair();
    await using thief = await openFakePeer({ knows: "guess", serve: (s) => s.resume() });
    await using dialler = await openPeer(one, rerouted(members, TWO, thief.address), {
      secret: "right",
    });
    await until("it is refused", () => /secret/.test(reasonOf(dialler.transport, TWO)));
    expect(reasonOf(dialler.transport, TWO)).toBe("the peer does not know the secret");
    expect(ask(dialler.transport, TWO, "hello")).toEqual([{ kind: "not-sent" }]);
    await until("its connection is closed", () => thief.sockets[0]?.destroyed === true);
  });

  test("nobody listens: the reason names the address", async () => {
    const { members, one, two } = await pair();
    await using dialler = await openPeer(one, members);
    const where = `${two.address.host}:${two.address.port}`;
    await until("it has failed", () => reasonOf(dialler.transport, TWO).includes(where));
    expect(reasonOf(dialler.transport, TWO)).toContain("ECONNREFUSED");
  });

  test("something else listens: the reason says so", async () => {
    const { members, one } = await pair();
    const { createServer } = await import("node:http");
    const server = createServer((_request, response) => response.end("hello, browser"));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const bound = server.address();
    const port = bound !== null && typeof bound === "object" ? bound.port : 0;
    {
      const routed = rerouted(members, TWO, { host: "127.0.0.1", port });
      await using dialler = await openPeer(one, routed);
      await until("it has failed", () => dialler.telemetry.lines.length > 0);
      expect(reasonOf(dialler.transport, TWO)).toBe("the address is not a Quorate peer port");
    }
    server.closeAllConnections();
    server.close();
  });

  test("a listener that takes the connection and says nothing is given up", async () => {
    const { members, one } = await pair();
    const { createServer } = await import("node:net");
    const sockets: Socket[] = [];
    const server = createServer((socket) => void sockets.push(socket.on("error", () => {})));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const bound = server.address();
    const port = bound !== null && typeof bound === "object" ? bound.port : 0;
    {
      const routed = rerouted(members, TWO, { host: "127.0.0.1", port });
      await using dialler = await openPeer(one, routed, { peerConnectTimeoutMs: 40 });
      await until("it is given up and dials again", () => sockets.length > 1);
      expect(reasonOf(dialler.transport, TWO)).toBe("no handshake within 40 ms");
    }
    for (const socket of sockets) socket.destroy();
    server.close();
  });
});

describe("proofs", () => {
  const secret = "a shared secret";

  test("a recorded handshake that is sent again on a new connection is refused", async () => {
    const { members, one, two } = await pair();
    const seen: string[] = [];
    const handler: RequestHandler = (payload, answer) => {
      seen.push(utf8Text(payload) ?? "");
      answer((writer) => writer.bytes(payload));
    };
    await using _two = await openPeer(two, members, { secret, handler });
    await using proxy = await openRecordingProxy(two.address);
    {
      await using dialler = await openPeer(one, rerouted(members, TWO, proxy.address), { secret });
      await connected(dialler.transport, TWO);
      expect(await echoOf(dialler.transport, TWO)).toBe(ECHOED);
    }
    const said = proxy.said();
    const upgradeAt = said.indexOf("GET /peer", 1);
    const framesAt = said.indexOf("\r\n\r\n", upgradeAt) + 4;
    expect(upgradeAt).toBeGreaterThan(0);
    expect(framesAt).toBeGreaterThan(upgradeAt);
    const offer = said.subarray(0, upgradeAt);
    const upgrade = said.subarray(upgradeAt, framesAt);
    for (const recorded of [[upgrade], [offer, upgrade], [said]]) {
      using raw = await RawDialler.open(two.address);
      for (const part of recorded) {
        raw.socket.write(part);
        if (part === offer) await until("it is challenged", () => raw.received.includes("200 OK"));
      }
      await until("it is refused", () => raw.received.includes("403 Forbidden"));
      raw.socket.write(said.subarray(framesAt));
      await until("the connection is closed", () => raw.closed);
      expect(raw.received.includes("101 Switching")).toBe(false);
    }
    expect(seen).toHaveLength(1);
  });

  test("a challenge is good for one upgrade only, and only for what was said with it", async () => {
    const { members, two } = await pair();
    await using _two = await openPeer(two, members, { secret });
    const headers = introduction(ONE, TWO, members);
    const tampered = { ...headers, "kv-peer-nonce": "ffffffffffffffffffffffffffffffff" };
    using raw = await RawDialler.open(two.address);
    const offer = await raw.offer(headers);
    const challenge = offer.headers.get("kv-peer-challenge") ?? "";
    const proof = proofOf("dialler", { secret, challenge, headers });
    expect((await raw.upgrade(tampered, proof)).status).toBe(403);
  });

  test("the listener's proof does not serve as a dialler's", async () => {
    const { members, two } = await pair();
    await using _two = await openPeer(two, members, { secret });
    const headers = introduction(ONE, TWO, members);
    using raw = await RawDialler.open(two.address);
    const offer = await raw.offer(headers);
    const challenge = offer.headers.get("kv-peer-challenge") ?? "";
    expect(
      (await raw.upgrade(headers, proofOf("listener", { secret, challenge, headers }))).status,
    ).toBe(403);
  });

  test("an upgrade without an offer before it is refused", async () => {
    const { members, two } = await pair();
    await using _two = await openPeer(two, members, { secret });
    const headers = introduction(ONE, TWO, members);
    using raw = await RawDialler.open(two.address);
    const proof = proofOf("dialler", { secret, challenge: "", headers });
    expect((await raw.upgrade(headers, proof)).status).toBe(403);
  });

  test("frames sent along with the upgrade, before the proof was checked, are refused", async () => {
    const { members, two } = await pair();
    let requests = 0;
    await using _two = await openPeer(two, members, { secret, handler: () => (requests += 1) });
    const headers = introduction(ONE, TWO, members);
    using raw = await RawDialler.open(two.address);
    const offer = await raw.offer(headers);
    const challenge = offer.headers.get("kv-peer-challenge") ?? "";
    const proof = proofOf("dialler", { secret, challenge, headers });
    const upgrade = upgradeText({ ...headers, "kv-peer-proof": proof });
    raw.socket.write(Buffer.concat([Buffer.from(upgrade), frame(1, utf8("a frame"))]));
    await until("it is refused", () => raw.received.includes("403"));
    await until("the connection is closed", () => raw.closed);
    expect(requests).toBe(0);
  });
});

describe("a peer port lives through what strangers and broken peers send", () => {
  const BROKEN: readonly (readonly [string, Buffer])[] = [
    ["a frame far over the bound", frameHeader(2 ** 31)],
    ["a frame one byte over the bound", frameHeader(PAYLOAD_BYTES_MAX + 1)],
    ["a frame too short for a correlation", framed(Buffer.from([1, 2]))],
    ["a frame of no bytes", framed(Buffer.alloc(0))],
    ["a damaged frame", damagedFrame()],
    ["text", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")],
  ];

  test.each(BROKEN)("%s closes that connection and no other", async (_name, bytes) => {
    const three = parseNodeId("n3");
    const members = await membersOnLoopback([ONE, TWO, three]);
    const [one, two] = members;
    if (one === undefined || two === undefined) throw new Error("three members were asked for");
    await using _two = await openPeer(two, members, { handler: echo });
    await using dialler = await openPeer(one, members);
    await connected(dialler.transport, TWO);
    using raw = await RawDialler.open(two.address);
    expect((await raw.shakeHands(introduction(three, TWO, members), undefined)).status).toBe(101);
    raw.socket.write(bytes);
    await until("the connection is closed", () => raw.closed);
    expect(await echoOf(dialler.transport, TWO)).toBe(ECHOED);
    expect(dialler.telemetry.count("peerConnections", TWO, "lost")).toBe(0);
  });

  test.each(BROKEN)(
    "%s in an answer ends the requests of that connection",
    async (_name, bytes) => {
      const { members, one } = await pair();
      await using fake = await openFakePeer({
        serve: (socket) => socket.once("data", () => socket.write(bytes)),
      });
      await using dialler = await openPeer(one, rerouted(members, TWO, fake.address));
      await connected(dialler.transport, TWO);
      const replies = ask(dialler.transport, TWO, "hello");
      await until("it is answered", () => replies.length > 0);
      expect(replies).toEqual([{ kind: "unknown", reason: "connection-lost" }]);
      await connected(dialler.transport, TWO);
    },
  );

  test("a payload as large as the bound is taken, and so is its answer", async () => {
    const { members, one, two } = await pair();
    await using _two = await openPeer(two, members, { handler: echo });
    await using dialler = await openPeer(one, members);
    await connected(dialler.transport, TWO);
    const replies = ask(dialler.transport, TWO, new Uint8Array(PAYLOAD_BYTES_MAX).fill(7));
    await until("it is answered", () => replies.length > 0);
    expect(replies[0]).toMatchObject({ kind: "payload" });
    const [reply] = replies;
    expect(reply?.kind === "payload" && reply.payload.byteLength).toBe(PAYLOAD_BYTES_MAX);
  });

  test("answers to requests that were never sent are ignored", async () => {
    const { members, one } = await pair();
    await using fake = await openFakePeer({
      serve: (socket) =>
        socket.on("data", (chunk: Buffer) => {
          const correlation = chunk.readUInt32BE(8);
          socket.write(
            Buffer.concat([
              frame((correlation + 7) >>> 0, utf8("a stranger's")),
              frame(correlation, utf8("yours")),
              frame(correlation, utf8("yours again")),
            ]),
          );
        }),
    });
    await using dialler = await openPeer(one, rerouted(members, TWO, fake.address));
    await connected(dialler.transport, TWO);
    const replies = ask(dialler.transport, TWO, "hello");
    await until("it is answered", () => replies.length > 0);
    expect(await echoOf(dialler.transport, TWO)).toBe("yours");
    expect(replies.map((reply) => reply.kind === "payload" && utf8Text(reply.payload))).toEqual([
      "yours",
    ]);
  });

  test("a message that the handler cannot stand costs its connection, not the node", async () => {
    const { members, one, two } = await pair();
    const handler: RequestHandler = (payload, answer) => {
      if (utf8Text(payload) === "poison") throw new Error("a bug in the handler");
      answer((writer) => writer.bytes(payload));
    };
    await using _two = await openPeer(two, members, { handler });
    await using dialler = await openPeer(one, members);
    await connected(dialler.transport, TWO);
    const replies = ask(dialler.transport, TWO, "poison");
    await until("it is answered", () => replies.length > 0);
    expect(replies).toEqual([{ kind: "unknown", reason: "connection-lost" }]);
    await connected(dialler.transport, TWO);
    expect(await echoOf(dialler.transport, TWO)).toBe(ECHOED);
  });

  const STRANGE: readonly (readonly [string, string | Buffer])[] = [
    ["a request for another path", requestText({}, "/metrics")],
    ["a request without an introduction", requestText({})],
    ["an upgrade without an introduction", upgradeText({})],
    ["an upgrade to something else", requestText({ Connection: "Upgrade", Upgrade: "websocket" })],
    ["noise", Buffer.from(Array.from({ length: 4_096 }, (_, i) => (i * 89 + 3) & 0xff))],
    ["half a request", "GET /peer HTTP/1.1\r\nkv-peer-fr"],
    ["headers without end", `GET /peer HTTP/1.1\r\n${"x-filler: 1234567890\r\n".repeat(1_000)}`],
  ];

  describe.each(STRANGE)("%s", (_name, bytes) => {
    test.each(["keeps its end open", "closes its end", "resets the connection"])(
      "and the stranger %s: the node goes on and can be closed",
      async (then) => {
        const { members, one, two } = await pair();
        const listener = await openPeer(two, members, { handler: echo });
        await using dialler = await openPeer(one, members);
        await connected(dialler.transport, TWO);
        using raw = await RawDialler.open(two.address);
        await new Promise((resolve) => raw.socket.write(bytes, resolve));
        if (then === "closes its end") raw.socket.end();
        if (then === "resets the connection") raw.socket.resetAndDestroy();
        expect(await echoOf(dialler.transport, TWO)).toBe(ECHOED);
        expect(await closes(listener.transport)).toBe(true);
      },
    );
  });

  test("a stranger who connects and says nothing does not keep the node from closing", async () => {
    const { members, two } = await pair();
    const listener = await openPeer(two, members);
    const socket = connect(two.address.port, two.address.host);
    socket.on("error", () => {});
    await once(socket, "connect");
    try {
      expect(await closes(listener.transport)).toBe(true);
    } finally {
      socket.destroy();
    }
  });
});

describe("connections", () => {
  test("a silent peer loses its connection after peerSilenceMs: open requests become unknown", async () => {
    const { members, one } = await pair();
    await using mute = await openFakePeer({ serve: (socket) => socket.resume() });
    await using dialler = await openPeer(one, rerouted(members, TWO, mute.address), {
      peerSilenceMs: 150,
    });
    await connected(dialler.transport, TWO);
    const asked = [1, 2, 3].map((i) => ask(dialler.transport, TWO, `request ${i}`));
    await until("all are answered", () => asked.every((replies) => replies.length > 0));
    for (const replies of asked) {
      expect(replies).toEqual([{ kind: "unknown", reason: "connection-lost" }]);
    }
    await until("the connection is closed", () => mute.sockets[0]?.destroyed === true);
    expect(dialler.telemetry.count("peerConnections", TWO, "lost")).toBe(1);
    const warnings = dialler.telemetry.lines.filter(({ level }) => level === "warn");
    expect(warnings.map(({ fields }) => fields["reason"])).toContain(
      "silent for 150 ms with requests unanswered",
    );
  });

  test("a peer without requests open may be silent for as long as it likes", async () => {
    const { members, one } = await pair();
    await using fake = await openFakePeer({ serve: answerAll });
    await using dialler = await openPeer(one, rerouted(members, TWO, fake.address), {
      peerSilenceMs: 40,
    });
    await connected(dialler.transport, TWO);
    expect(await echoOf(dialler.transport, TWO)).toBe(ECHOED);
    const quietUntil = systemClock.now() + 200;
    await until("it was quiet", () => systemClock.now() > quietUntil);
    expect(await echoOf(dialler.transport, TWO)).toBe(ECHOED);
    expect(fake.sockets).toHaveLength(1);
  });

  test("300 messages sent in one tick leave in one write, 300 answers too", async () => {
    const { members, one, two } = await pair();
    using writes = countWrites();
    await using listener = await openPeer(two, members, { handler: echo });
    await using dialler = await openPeer(one, members);
    await connected(dialler.transport, TWO);
    await connected(listener.transport, ONE);
    writes.byLocalPort.clear();
    const asked = Array.from({ length: 300 }, (_, i) => ask(dialler.transport, TWO, `${i}`));
    await until("all are answered", () => asked.every((replies) => replies.length > 0));
    const { port } = two.address;
    const counts = [...writes.byLocalPort].toSorted(([a], [b]) => +(a === port) - +(b === port));
    expect(counts).toEqual([
      [expect.any(Number), 1],
      [port, 1],
    ]);
  });

  test("with peerQueueBytesMax queued the next is not-sent and counted", async () => {
    const { members, one } = await pair();
    await using stuck = await openFakePeer({ serve: (socket) => socket.pause() });
    await using dialler = await openPeer(one, rerouted(members, TWO, stuck.address), {
      peerQueueBytesMax: 2 * 1024 * 1024,
      peerSilenceMs: 60_000,
    });
    await connected(dialler.transport, TWO);
    const payload = new Uint8Array(512 * 1024);
    const asked = Array.from({ length: 4 }, () => ask(dialler.transport, TWO, payload));
    expect(asked.flat()).toEqual([]);
    expect(ask(dialler.transport, TWO, "one more")).toEqual([{ kind: "not-sent" }]);
    expect(dialler.telemetry.count("refused", "peerQueueBytesMax")).toBe(1);
    // A peer that does not read: what the system does not take stays queued, and the bound holds.
    let refused = false;
    await until("the queue is full for good", () => {
      refused = ask(dialler.transport, TWO, payload).length > 0;
      return refused && dialler.telemetry.count("refused", "peerQueueBytesMax") > 20;
    });
    expect(dialler.transport.peerState(TWO).kind).toBe("connected");
  });

  test("a peer that takes no answers is not given more and more of them", async () => {
    const { members, two } = await pair();
    const answer = new Uint8Array(VALUE_BYTES_MAX);
    let answered = 0;
    await using _two = await openPeer(two, members, {
      peerQueueBytesMax: 2 * VALUE_BYTES_MAX,
      handler: (_payload, send) => {
        answered += 1;
        send((writer) => writer.bytes(answer));
      },
    });
    using greedy = await RawDialler.open(two.address);
    await greedy.shakeHands(introduction(ONE, TWO, members), undefined);
    greedy.socket.pause();
    // Far more than the queue and the system's own buffers together.
    const requests = 200;
    let asked = 0;
    await until("all are asked, or it is cut off", () => {
      asked += 1;
      if (asked <= requests) greedy.socket.write(frame(asked, utf8("more")));
      return greedy.closed || answered === requests || asked === 2 * requests;
    });
    expect(answered).toBeLessThan(requests);
  });

  test("bytes that wait for a slow peer stay what they were while more are sent", async () => {
    const { members, one } = await pair();
    const received: Buffer[] = [];
    await using slow = await openFakePeer({ serve: (socket) => socket.pause() });
    await using dialler = await openPeer(one, rerouted(members, TWO, slow.address), {
      peerSilenceMs: 60_000,
    });
    await connected(dialler.transport, TWO);
    const payloads = Array.from({ length: 300 }, (_, i) => Buffer.alloc(40_000, i % 251));
    for (const payload of payloads) {
      ask(dialler.transport, TWO, payload);
      await turnsOfTheEventLoop(8);
    }
    const [socket] = slow.sockets;
    socket?.on("data", (chunk: Buffer) => received.push(chunk));
    socket?.resume();
    const expected = Buffer.concat(payloads.map((payload, i) => frame(i, payload)));
    const arrived = () => received.reduce((sum, { byteLength }) => sum + byteLength, 0);
    await until("all have arrived", () => arrived() === expected.byteLength);
    expect(Buffer.compare(Buffer.concat(received), expected)).toBe(0);
  });

  test("of two connections of one peer the later one counts", async () => {
    const { members, two } = await pair();
    await using _two = await openPeer(two, members, { handler: echo });
    const headers = introduction(ONE, TWO, members);
    using first = await RawDialler.open(two.address);
    await first.shakeHands(headers, undefined);
    using second = await RawDialler.open(two.address);
    await second.shakeHands(headers, undefined);
    await until("the first is closed", () => first.closed);
    second.socket.write(frame(9, utf8("hello")));
    await until("it is answered", () => second.received.byteLength > 0);
    expect(second.received).toEqual(frame(9, utf8("hello")));
  });

  test("frames may arrive in any pieces", async () => {
    const { members, two } = await pair();
    await using _two = await openPeer(two, members, { handler: echo });
    using raw = await RawDialler.open(two.address);
    raw.socket.setNoDelay(true);
    await raw.shakeHands(introduction(ONE, TWO, members), undefined);
    const sent = Buffer.concat([3, 1, 4, 1, 5].map((n, i) => frame(i, Buffer.alloc(n * 7, n))));
    for (const byte of sent)
      await new Promise((resolve) => raw.socket.write(Buffer.of(byte), resolve));
    await until("all are answered", () => raw.received.byteLength === sent.byteLength);
    expect(raw.received).toEqual(sent);
  });

  test("whoever is dialled by a peer dials back at once, whatever its own pause", async () => {
    const { members, one, two } = await pair();
    await using early = await openPeer(one, members, { peerReconnectDelayMs: 60_000 });
    await until("it has failed", () => reasonOf(early.transport, TWO).includes("ECONNREFUSED"));
    await using late = await openPeer(two, members, { handler: echo });
    await connected(late.transport, ONE);
    await connected(early.transport, TWO);
    expect(await echoOf(early.transport, TWO)).toBe(ECHOED);
  });

  test("the secret is neither logged nor part of a reason", async () => {
    const { members, one, two } = await pair();
    await using listener = await openPeer(two, members, { secret: "swordfish" });
    await using dialler = await openPeer(one, members, { secret: "sunflower" });
    await until("it is refused", () => /secret/.test(reasonOf(dialler.transport, TWO)));
    const told = JSON.stringify([listener.telemetry.lines, dialler.telemetry.lines]);
    expect(told).toContain("refused");
    expect(told).not.toMatch(/swordfish|sunflower/);
  });
});

/** Counts the writes of every socket of this process, by its own port. */
function countWrites(): Disposable & { readonly byLocalPort: Map<number | undefined, number> } {
  const byLocalPort = new Map<number | undefined, number>();
  const watch = (socket: Socket): void => {
    const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
    socket.write = (...args: unknown[]) => {
      byLocalPort.set(socket.localPort, (byLocalPort.get(socket.localPort) ?? 0) + 1);
      return write(...args);
    };
  };
  const onServerSocket = (message: unknown): void => watch((message as { socket: Socket }).socket);
  const onClientSocket = (message: unknown): void => {
    const { socket } = message as { socket: Socket };
    // Not before: connecting puts the original method back.
    socket.once("connect", () => watch(socket));
  };
  subscribe("net.server.socket", onServerSocket);
  subscribe("net.client.socket", onClientSocket);
  return {
    byLocalPort,
    [Symbol.dispose]() {
      unsubscribe("net.server.socket", onServerSocket);
      unsubscribe("net.client.socket", onClientSocket);
    },
  };
}

async function turnsOfTheEventLoop(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await drain();
}

/** Answers each frame with itself. */
function answerAll(socket: Socket): void {
  socket.on("data", (chunk: Buffer) => socket.write(chunk));
}

/** Whole but for one bit of its payload. */
function damagedFrame(): Buffer {
  const bytes = frame(1, utf8("payload"));
  bytes[bytes.byteLength - 1] = (bytes.at(-1) ?? 0) ^ 1;
  return bytes;
}
