import { afterEach, describe, expect, test } from "vitest";
import { startCluster } from "../support/cluster.ts";
import type { Cluster, ClusterOptions } from "../support/cluster.ts";
import type { ClusterNode } from "../support/cluster-node.ts";
import { KeptConnection } from "../support/kept-connection.ts";
import type { KeptAnswer } from "../support/kept-connection.ts";
import { waitFor } from "../support/real-kv.ts";

const CONNECTIONS = 1_000;
/** Longer than a test waits for a node's end: only a drain that needs no timeout ends in time. */
const NEVER_MS = "600000";
const ENDED = { code: 0, signal: null };
const READYZ = "GET /readyz HTTP/1.1\r\nHost: kv\r\n\r\n";
const GET = "GET /v1/kv/default/k HTTP/1.1\r\nHost: kv\r\n\r\n";
const PUT = "PUT /v1/kv/default/k HTTP/1.1\r\nHost: kv\r\nContent-Length: 1\r\n\r\nv";
const MiB = 1024 * 1024;
const PUT_LARGE = `PUT /v1/kv/default/k HTTP/1.1\r\nHost: kv\r\nContent-Length: ${MiB}\r\n\r\n${"v".repeat(MiB)}`;
/** More than the sockets' buffers hold. */
const LARGE_READS = 16;
const CLOSING = /^connection: close$/m;

let cluster: Cluster | undefined;
const connections: KeptConnection[] = [];
afterEach(async () => {
  for (const connection of connections.splice(0)) connection.close();
  await cluster?.stop();
  cluster = undefined;
});

async function start(
  nodes: number,
  nodeOptions: NonNullable<ClusterOptions["nodeOptions"]>,
): Promise<readonly ClusterNode[]> {
  // A thousand requests at once take their time on a busy machine.
  cluster = await startCluster({
    nodes,
    nodeOptions: { requestTimeoutMs: "30000", ...nodeOptions },
  });
  return Object.values(cluster.nodes);
}

async function connectTo(node: ClusterNode | undefined): Promise<KeptConnection> {
  const connection = await KeptConnection.open(Number(new URL(node?.url ?? "").port));
  connections.push(connection);
  return connection;
}

/** Connections that have had an answer each, and are kept. */
async function idleConnections(node: ClusterNode | undefined): Promise<readonly KeptConnection[]> {
  const idle: KeptConnection[] = [];
  for (let nth = 0; nth < CONNECTIONS; nth += 1) idle.push(await connectTo(node));
  const [first, ...others] = idle;
  expect(await first?.ask(PUT)).toMatchObject({ status: 204 });
  const answers = await Promise.all(others.map((connection) => connection.ask(GET)));
  expect(new Set(answers.map(statusOf))).toEqual(new Set([200]));
  return idle;
}

const drains = (node: ClusterNode | undefined): Promise<true> =>
  waitFor("the drain", () => node?.log().includes('"node is draining"') === true || undefined);

/** Polls a node's metrics until they have the line. */
const scraped = (node: ClusterNode | undefined, line: string): Promise<true> =>
  waitFor(line, async () => {
    const response = await fetch(`${node?.url}/metrics`);
    return (await response.text()).split("\n").includes(line) || undefined;
  });

const statusOf = (answer: KeptAnswer | undefined): number | "closed" => answer?.status ?? "closed";

describe("a node that is asked to stop", () => {
  test(`ends by itself although ${CONNECTIONS} clients keep their connections`, async () => {
    const [node] = await start(1, { drainTimeoutMs: NEVER_MS });
    const idle = await idleConnections(node);
    expect(await node?.stop()).toEqual(ENDED);
    for (const connection of idle) await connection.closed();
  });

  test("ends by itself although clients have connected and not asked for anything yet", async () => {
    const [node] = await start(1, { drainTimeoutMs: NEVER_MS });
    const silent = [await connectTo(node), await connectTo(node)];
    expect(await node?.stop()).toEqual(ENDED);
    for (const connection of silent) await connection.closed();
  });

  test(`answers a request that comes on one of ${CONNECTIONS} kept connections meanwhile, or closes the connection before a byte of an answer`, async () => {
    const [node] = await start(1, { drainTimeoutMs: NEVER_MS });
    const idle = await idleConnections(node);
    node?.signal("SIGTERM");
    const answers = idle.map((connection, nth) => connection.ask(nth % 2 === 0 ? GET : PUT));
    const seen = new Set((await Promise.all(answers)).map(statusOf));
    expect([...seen].filter((status) => ![200, 204, "closed"].includes(status))).toEqual([]);
    expect(await node?.ended()).toEqual(ENDED);
  });

  test("finishes a write in flight, says that its connection ends, and ends itself", async () => {
    const [n1, n2, n3] = await start(3, { drainTimeoutMs: NEVER_MS });
    const writer = await connectTo(n1);
    n2?.pause();
    n3?.pause();
    writer.send(PUT);
    await scraped(n1, "kv_inflight_requests 1");
    n1?.signal("SIGTERM");
    await drains(n1);
    n2?.resume();
    const answer = await writer.answer();
    expect(answer?.status).toBe(204);
    expect(answer?.head).toMatch(CLOSING);
    expect(await n1?.ended()).toEqual(ENDED);
  });

  test("ends within --drain-timeout-ms although a request never comes whole", async () => {
    const [node] = await start(1, { drainTimeoutMs: "300" });
    const slow = await connectTo(node);
    slow.send(PUT.slice(0, -1));
    expect(await node?.stop()).toEqual(ENDED);
    expect(node?.log()).toContain("requests in flight are given up");
  });

  test(`closes a connection whose last answer had begun before, once its client has read all (${LARGE_READS} of 1 MiB)`, async () => {
    const [node] = await start(1, { drainTimeoutMs: NEVER_MS });
    const reader = await connectTo(node);
    expect(await reader.ask(PUT_LARGE)).toMatchObject({ status: 204 });
    reader.pause();
    reader.send(GET.repeat(LARGE_READS));
    await scraped(node, `kv_requests_total{op="read",mode="lww",result="ok"} ${LARGE_READS}`);
    const ending = node?.stop();
    await drains(node);
    reader.resume();
    await reader.closed();
    expect(reader.received.split("HTTP/1.1 200 ")).toHaveLength(LARGE_READS + 1);
    expect(reader.received.length).toBeGreaterThan(LARGE_READS * MiB);
    expect(await ending).toEqual(ENDED);
  });

  test(`first says so on /readyz, and serves new connections and kept ones for --drain-notice-ms`, async () => {
    const [node] = await start(1, { drainTimeoutMs: NEVER_MS, drainNoticeMs: "4000" });
    const idle = await idleConnections(node);
    node?.signal("SIGTERM");
    await drains(node);
    const prober = await connectTo(node);
    const answers = await Promise.all([
      prober.ask(READYZ),
      ...idle.slice(0, 100).map((connection, nth) => connection.ask(nth % 2 === 0 ? GET : PUT)),
    ]);
    const [ready, ...served] = answers;
    expect([ready?.status, ready?.body]).toEqual([503, expect.stringContaining("draining")]);
    expect(new Set(served.map(statusOf))).toEqual(new Set([200, 204]));
    for (const answer of answers) expect(answer?.head).toMatch(CLOSING);
    for (const connection of idle) await connection.closed();
    expect(await node?.ended()).toEqual(ENDED);
  });
});
