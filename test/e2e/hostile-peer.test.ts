import { crc32 } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parsePeers } from "../../src/core/config.ts";
import { parseClusterId, parseNodeId } from "../../src/core/ids.ts";
import { FIRST_EPOCH_NUMBER, Layout } from "../../src/core/layout/layout.ts";
import {
  CHALLENGE_HEADER,
  introductionHeaders,
  PROOF_HEADER,
  proofOf,
} from "../../src/node/io/peer/handshake.ts";
import { RawDialler, requestText, upgradeText } from "../conformance/support/raw-peer.ts";
import type { Headers } from "../conformance/support/raw-peer.ts";
import { draw, heapOf, settles, socketsOf, strikeAll, tally } from "../support/barrage.ts";
import type { Strike } from "../support/barrage.ts";
import { startCluster, waitConnected } from "../support/cluster.ts";
import type { Cluster } from "../support/cluster.ts";
import type { ClusterNode } from "../support/cluster-node.ts";
import { send } from "../support/raw-http.ts";

const STRANGERS = 1_500;
const MEMBERS = 500;
const HEAP_GROWTH_BYTES_MAX = 48 * 1024 * 1024;
const SECRET = "the right one";

let cluster: Cluster;
let node: ClusterNode;
let peer = { host: "127.0.0.1", port: 0 };
/** What n3 says when it dials n1. */
let honest: Headers = {};
beforeAll(async () => {
  cluster = await startCluster({ nodes: 3, nodeEnv: () => ({ KV_SECRET: SECRET }) });
  const { n1 } = cluster.nodes;
  if (n1 === undefined) throw new Error("n1 was asked for");
  node = n1;
  const { members } = (await (await fetch(`${node.url}/v1/cluster`)).json()) as {
    members: { id: string; peerAddress: string }[];
  };
  const peers = parsePeers(members.map((it) => `${it.id}=${it.peerAddress}`).join(","));
  peer = peers.find(({ id }) => id === "n1")?.address ?? peer;
  honest = introductionHeaders({
    from: parseNodeId("n3"),
    to: parseNodeId("n1"),
    clusterId: parseClusterId("test"),
    epoch: new Layout({ number: FIRST_EPOCH_NUMBER, members: peers }).epoch,
    nonce: "0123456789abcdef0123456789abcdef",
  });
});
afterAll(() => cluster.stop());

async function expectServing(): Promise<void> {
  await waitConnected(node);
  const port = Number(new URL(node.url).port);
  expect((await send({ port, target: "/livez" })).status).toBe(200);
  const target = "/v1/kv/default/after";
  const body = String(Math.random());
  expect((await send({ port, target: `${target}?w=all`, method: "PUT", body })).status).toBe(204);
  expect((await send({ port, target: `${target}?r=all` })).body).toBe(body);
  expect(node.running).toBe(true);
}

const flips = (length: number) =>
  fc.array(fc.tuple(fc.nat(length - 1), fc.nat(7)), { minLength: 1, maxLength: 3 });
const bytes = fc.uint8Array({ maxLength: 300 }).map((it) => Buffer.from(it).toString("latin1"));

function flipped(text: string, changes: readonly (readonly [number, number])[]): string {
  const flippedBytes = Buffer.from(text, "latin1");
  for (const [at, bit] of changes) flippedBytes[at] = (flippedBytes[at] ?? 0) ^ (1 << bit);
  return flippedBytes.toString("latin1");
}

/** Without a proof nobody gets in, whatever they say. */
function strangers(): fc.Arbitrary<Strike> {
  const offer = requestText(honest);
  const proof = "0".repeat(64);
  const upgrade = upgradeText({ ...honest, [PROOF_HEADER]: proof });
  const wrong = fc
    .tuple(fc.constantFrom(...Object.keys(honest)), bytes)
    .map(([name, value]) => ({ ...honest, [name]: value.replaceAll(/[\r\n]/g, "") }));
  const kinds: Readonly<Record<string, fc.Arbitrary<string>>> = {
    garbage: bytes,
    flippedOffer: flips(offer.length).map((it) => flipped(offer, it)),
    flippedUpgrade: flips(upgrade.length).map((it) => flipped(upgrade, it)),
    wrongOffer: wrong.map((it) => requestText(it)),
    wrongUpgrade: wrong.map((it) => upgradeText({ ...it, [PROOF_HEADER]: proof })),
    offerThenFalseProof: bytes.map((more) => `${offer}${upgrade}${more}`),
    truncated: fc.nat(upgrade.length - 1).map((length) => upgrade.slice(0, length)),
    otherPath: fc
      .constantFrom("/", "*", "/metrics", "http://n1/peer", "/peer/../x")
      .map((path) => requestText(honest, path)),
    flood: fc
      .integer({ min: 1, max: 3_000 })
      .map((count) => offer.replace("\r\n\r\n", `\r\n${"a:b\r\n".repeat(count)}\r\n`)),
    body: fc
      .constantFrom("5", "9999999999", "x")
      .map((length) =>
        offer
          .replace("GET", "POST")
          .replace("\r\n\r\n", `\r\nContent-Length: ${length}\r\n\r\nvalue`),
      ),
  };
  const manner = fc.oneof(
    { weight: 15, arbitrary: fc.constant("end" as const) },
    { weight: 1, arbitrary: fc.constant("hold" as const) },
  );
  return fc.oneof(
    ...Object.entries(kinds).map(([kind, arbitrary]) =>
      fc.record<Strike>({ kind: fc.constant(kind), bytes: arbitrary, manner }),
    ),
  );
}

test(`${STRANGERS} strangers: none gets in, all are ended, nothing stays behind`, async () => {
  await expectServing();
  const before = { sockets: socketsOf(node.pid), heap: await heapOf(node.url) };
  const struck = await strikeAll(draw(strangers(), STRANGERS), peer.port);
  expect(struck).toHaveLength(STRANGERS);
  expect(struck.filter(({ answer }) => / 101 /.test(answer))).toEqual([]);
  const odd = struck.filter(({ answer }) => !/^($|HTTP\/1\.1 (200|400|403|408|431) )/.test(answer));
  expect(odd).toEqual([]);
  await expectServing();
  await settles("open sockets", before.sockets, () => socketsOf(node.pid));
  await settles("heap bytes", before.heap + HEAP_GROWTH_BYTES_MAX, () => heapOf(node.url));
  const statuses = ({ answer }: { answer: string }) =>
    [...answer.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => status);
  for (const line of tally(struck, statuses)) console.info(line);
});

function framed(body: Uint8Array, { length = body.byteLength, sum = crc32(body) } = {}): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(length, 0);
  header.writeUInt32BE(sum, 4);
  return Buffer.concat([header, body]);
}

/** What a member that has lost its mind may send behind a proper handshake. */
const frames = fc.oneof(
  fc.record({
    kind: fc.constant("garbage"),
    bytes: fc.uint8Array({ maxLength: 300 }).map((it) => Buffer.from(it)),
  }),
  fc.record({
    kind: fc.constant("sound frame, senseless body"),
    bytes: fc.uint8Array({ maxLength: 300 }).map((it) => framed(it)),
  }),
  fc.record({
    kind: fc.constant("senseless request of a kind that exists"),
    bytes: fc
      .tuple(fc.constantFrom(3, 5, 6, 9, 10, 12, 15, 17, 24, 27), fc.uint8Array({ maxLength: 200 }))
      .map(([kind, rest]) => framed(Buffer.concat([Buffer.of(0, 0, 0, 1, kind), rest]))),
  }),
  fc.record({
    kind: fc.constant("wrong checksum"),
    bytes: fc
      .uint8Array({ minLength: 1, maxLength: 99 })
      .map((it) => framed(it, { sum: (crc32(it) ^ 1) >>> 0 })),
  }),
  fc.record({
    kind: fc.constant("too long"),
    bytes: fc
      .integer({ min: 2 ** 28, max: 2 ** 32 - 1 })
      .map((length) => framed(Buffer.of(1), { length })),
  }),
  fc.record({
    kind: fc.constant("cut short"),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 99 }).map((it) => framed(it).subarray(0, -1)),
  }),
);

test(`${MEMBERS} members out of their minds: the cluster serves on, nothing stays behind`, async () => {
  await expectServing();
  const before = { sockets: socketsOf(node.pid), heap: await heapOf(node.url) };
  const counts = new Map<string, number>();
  for (const { kind, bytes: sent } of draw(frames, MEMBERS)) {
    using dialler = await RawDialler.open(peer);
    expect((await dialler.shakeHands(honest, SECRET)).status).toBe(101);
    dialler.socket.end(sent);
    // Whatever is left of it, n1 ends it: the next one takes its place at the latest.
    if (!dialler.closed) await new Promise((resolve) => dialler.socket.once("close", resolve));
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  expect([...counts.values()].reduce((sum, it) => sum + it, 0)).toBe(MEMBERS);
  console.info(JSON.stringify(Object.fromEntries(counts)));
  await expectServing();
  await settles("open sockets", before.sockets, () => socketsOf(node.pid));
  await settles("heap bytes", before.heap + HEAP_GROWTH_BYTES_MAX, () => heapOf(node.url));
});

test("a proof is good for one handshake: recorded and said again it opens nothing", async () => {
  using first = await RawDialler.open(peer);
  const offer = await first.offer(honest);
  const challenge = offer.headers.get(CHALLENGE_HEADER) ?? "";
  const proof = proofOf("dialler", { secret: SECRET, challenge, headers: honest });
  for (let i = 0; i < 100; i += 1) {
    using again = await RawDialler.open(peer);
    await again.offer(honest);
    expect((await again.upgrade(honest, proof)).status).toBe(403);
  }
  expect((await first.upgrade(honest, proof)).status).toBe(101);
});
