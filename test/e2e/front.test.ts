import { afterEach, expect, test } from "vitest";
import { ERRORS } from "../../src/core/errors.ts";
import type { ErrorCode } from "../../src/core/errors.ts";
import { startCluster, waitConnected } from "../support/cluster.ts";
import type { Cluster } from "../support/cluster.ts";
import type { ClusterNode } from "../support/cluster-node.ts";
import { FrontLoad } from "../support/front-load.ts";
import { startFront } from "../support/front.ts";
import type { Front, FrontProgram } from "../support/front.ts";
import { describeFronts } from "../support/fronts.ts";
import { send } from "../support/raw-http.ts";
import type { RawResponse } from "../support/raw-http.ts";
import { waitFor } from "../support/real-kv.ts";

/** Longer than a busy machine makes a request wait, as short as a hung node may cost a first try. */
const REQUEST_TIMEOUT_MS = 4_000;
const READ_TIMEOUT_MS = 5_000;
/** Two tries and what it takes to find out; a client need not wait longer. */
const CLIENT_TIMEOUT_MS = 2 * READ_TIMEOUT_MS + 4_000;
const CLIENTS = 8;
const ENDED = { code: 0, signal: null };

let cluster: Cluster | undefined;
let front: Front | undefined;
let load: FrontLoad | undefined;
afterEach(async () => {
  for (const node of Object.values(cluster?.nodes ?? {})) node.resume();
  await load?.stop();
  await front?.stop();
  await cluster?.stop();
  load = front = cluster = undefined;
});

interface Fronted {
  readonly nodes: readonly [ClusterNode, ClusterNode, ClusterNode];
  readonly front: Front;
}

async function start(program: FrontProgram): Promise<Fronted> {
  cluster = await startCluster({
    nodes: 3,
    nodeOptions: { requestTimeoutMs: String(REQUEST_TIMEOUT_MS) },
  });
  const [n1, n2, n3] = Object.values(cluster.nodes);
  if (n1 === undefined || n2 === undefined || n3 === undefined) throw new Error("three nodes");
  const host = ({ url }: ClusterNode): string => new URL(url).host;
  const upstreams = [host(n1), host(n2), host(n3)] as const;
  front = await startFront(program, { upstreams, readTimeoutMs: READ_TIMEOUT_MS });
  return { nodes: [n1, n2, n3], front };
}

function startLoad({ port }: Front): FrontLoad {
  load = new FrontLoad({ port, clients: CLIENTS });
  return load;
}

/** HAProxy says how many nodes it has found ready; nginx does not ask them. */
function seesAllNodes({ url }: Front): Promise<true> {
  return waitFor("the proxy to see all nodes", async () => {
    const health = await (await fetch(`${url}/healthz`)).text();
    return !/ready nodes: [012]\n/.test(health) || undefined;
  });
}

/** Resolves when what had reached the node before has been done. */
function catchesUp({ url }: ClusterNode): Promise<true> {
  return waitFor("the node to have nothing in flight", async () => {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    return metrics.split("\n").includes("kv_inflight_requests 0") || undefined;
  });
}

function problemOf({ status, headers, body }: RawResponse): { outcome: string } {
  expect(headers["content-type"]).toBe("application/problem+json");
  const problem = JSON.parse(body) as { code: ErrorCode; outcome: string };
  expect(ERRORS[problem.code].status).toBe(status);
  return problem;
}

describeFronts("real nodes behind it", (program) => {
  test("a node that is killed costs no request, and no write has two effects (N=3 W=2)", async () => {
    const { nodes, front: proxy } = await start(program);
    const [killed, ...others] = nodes;
    const clients = startLoad(proxy);
    await clients.more(200);
    await killed.kill();
    await clients.more(400);
    await clients.stop();
    expect(clients.failures).toEqual([]);
    for (const { url } of others) expect(await clients.misread(url)).toEqual([]);
  });

  test("a node that hangs costs no request, and what it does when it goes on has no second effect", async () => {
    const { nodes, front: proxy } = await start(program);
    const [hung] = nodes;
    const clients = startLoad(proxy);
    await clients.more(200);
    hung.pause();
    await clients.more(400);
    await clients.stop();
    expect(clients.failures).toEqual([]);
    hung.resume();
    await Promise.all(nodes.map(waitConnected));
    await catchesUp(hung);
    for (const { url } of nodes) expect(await clients.misread(url)).toEqual([]);
  });

  test(`two of three that hang: every request is refused in time with its true outcome (N=3 R=W=2)`, async () => {
    const { nodes, front: proxy } = await start(program);
    for (const node of nodes.slice(1)) node.pause();
    const { port } = proxy;
    const ask = (method: string, nth: number): Promise<RawResponse> =>
      send({
        port,
        method,
        target: `/v1/kv/default/${nth}`,
        headers: method === "PUT" ? { "KV-Write-Id": `w-${nth}` } : {},
        body: method === "PUT" ? `v${nth}` : "",
        signal: AbortSignal.timeout(CLIENT_TIMEOUT_MS),
      });
    const numbers = [0, 1, 2, 3, 4, 5];
    const [puts, gets] = await Promise.all([
      Promise.all(numbers.map((nth) => ask("PUT", nth))),
      Promise.all(numbers.map((nth) => ask("GET", nth))),
    ]);
    const outcomes = puts.map((put) => problemOf(put).outcome);
    for (const get of gets) expect(problemOf(get).outcome).toBe("not-applied");

    for (const node of nodes) node.resume();
    await Promise.all(nodes.map(waitConnected));
    await Promise.all(nodes.map(catchesUp));
    await seesAllNodes(proxy);
    for (const nth of numbers) {
      const { status, body } = await ask("GET", nth);
      const allowed = outcomes[nth] === "unknown" ? ["404", `200 v${nth}`] : ["404"];
      expect(allowed).toContain(status === 404 ? "404" : `${status} ${body}`);
      expect(await ask("PUT", nth)).toMatchObject({ status: 204 });
      expect(await ask("GET", nth)).toMatchObject({ status: 200, body: `v${nth}` });
    }
  });

  test("all nodes killed: a write is told that its outcome is unknown, a read that it was not done", async () => {
    const { nodes, front: proxy } = await start(program);
    await Promise.all(nodes.map((node) => node.kill()));
    const { port } = proxy;
    const put = await send({ port, method: "PUT", target: "/v1/kv/default/k", body: "v" });
    expect(problemOf(put)).toMatchObject({ code: "gateway-unavailable", outcome: "unknown" });
    const get = await send({ port, target: "/v1/kv/default/k" });
    expect(problemOf(get)).toMatchObject({ code: "gateway-unavailable", outcome: "not-applied" });
  });

  test("a restart of all nodes, one after another, fails no request", async () => {
    const { nodes, front: proxy } = await start(program);
    const clients = startLoad(proxy);
    await clients.more(100);
    for (const node of nodes) {
      expect(await node.stop()).toEqual(ENDED);
      await clients.more(50);
      node.start();
      await node.waitReady();
      await Promise.all(nodes.map(waitConnected));
      await seesAllNodes(proxy);
      await clients.more(50);
    }
    await clients.stop();
    expect(clients.failures).toEqual([]);
    expect(clients.requests).toBeGreaterThan(400);
    for (const { url } of nodes) expect(await clients.misread(url)).toEqual([]);
  });

  test("dot segments lead to no operators' route", async () => {
    const { front: proxy } = await start(program);
    const targets = [
      "/v1/kv/b/../../../metrics",
      "/v1/kv/%2e%2e/%2E%2e/metrics",
      "/v1/kv/default/..%2f..%2f..%2fmetrics",
      "/v1/kv/default/%2e%2e/%2e%2e/cluster",
    ];
    for (const target of targets) {
      const { status, body } = await send({ port: proxy.port, target });
      expect([400, 404]).toContain(status);
      expect(body).not.toMatch(/kv_requests_total|members/);
    }
  });
});
