import { describe, expect, test } from "vitest";
import { expectProblem, frontStubs } from "../support/fronted-stubs.ts";
import { describeFronts, NGINX } from "../support/fronts.ts";
import { needs } from "../support/needs.ts";
import { send } from "../support/raw-http.ts";
import type { RawRequest } from "../support/raw-http.ts";
import type { Answer } from "../support/stub-node.ts";

const KEY = "/v1/kv/b/k";
const MiB = 1024 * 1024;
const DONE: Answer = { status: 204 };
const FOUND: Answer = { status: 200, body: "value" };
const SHORT_READ_TIMEOUT_MS = 400;

/** What a node itself would answer; a proxy's own documents have other codes. */
function problemOfNode(status: number): Answer {
  return {
    status,
    headers: { "content-type": "application/problem+json", "retry-after": "1" },
    body: JSON.stringify({ status, code: "of-the-node", outcome: "not-applied" }),
  };
}

/** Sends `count` requests, at most 16 at a time. */
async function sendMany(count: number, request: RawRequest): Promise<readonly number[]> {
  const statuses: number[] = [];
  const client = async (): Promise<void> => {
    while (statuses.length < count) {
      const index = statuses.push(0) - 1;
      statuses[index] = (await send(request)).status;
    }
  };
  await Promise.all(Array.from({ length: 16 }, client));
  return statuses;
}

describeFronts("second try of a write", (program) => {
  test.each(["PUT", "DELETE"])("a node's own answer to %s is final", async (method) => {
    const statuses = [400, 413, 422, 429, 500, 503, 504];
    const { port, deliveries } = await frontStubs(program, ({ headers }) =>
      problemOfNode(Number(headers["x-status"])),
    );
    for (const status of statuses) {
      const answer = problemOfNode(status);
      const response = await send({ port, method, target: KEY, headers: { "X-Status": status } });
      expect(response).toMatchObject({ ...answer, headers: answer.headers });
    }
    expect(deliveries).toHaveLength(statuses.length);
  });

  test.each(["PUT", "DELETE"])(
    "%s goes to another node, whole, under the same write id and with KV-Attempt: 2",
    async (method) => {
      const { port, deliveries } = await frontStubs(program, (_, nth) =>
        nth === 1 ? "reset" : DONE,
      );
      const body = method === "PUT" ? Buffer.alloc(MiB, "0123456789abcdef~") : Buffer.alloc(0);
      // Three: a fourth might find a node out of its group, and then all three are suspects.
      for (const headers of [{}, {}, { "KV-Write-Id": "mine" }]) {
        const response = await send({ port, method, target: `${KEY}%2F?w=2`, headers, body });
        expect(response.status).toBe(204);
      }
      expect(deliveries).toHaveLength(6);
      for (const at of [0, 2, 4]) {
        const [first, second] = deliveries.slice(at, at + 2);
        if (first === undefined || second === undefined) throw new Error("both were delivered");
        expect(second.node).not.toBe(first.node);
        expect([first.method, second.method]).toEqual([method, method]);
        expect([first.target, second.target]).toEqual([`${KEY}%2F?w=2`, `${KEY}%2F?w=2`]);
        expect(first.body.equals(body) && second.body.equals(body)).toBe(true);
        expect(first.headers["kv-attempt"]).toBeUndefined();
        expect(second.headers["kv-attempt"]).toBe("2");
        expect(second.headers["kv-write-id"]).toBe(first.headers["kv-write-id"]);
      }
      expect(deliveries[4]?.headers["kv-write-id"]).toBe("mine");
    },
  );

  test.each([
    ["1", "2"],
    ["2", "2"],
    ["5", "5"],
    ["12", "12"],
  ])("the client's KV-Attempt: %s is kept, then becomes %s", async (attempt, again) => {
    const { port, deliveries } = await frontStubs(program, (_, nth) =>
      nth === 1 ? "reset" : DONE,
    );
    await send({ port, method: "PUT", target: KEY, headers: { "KV-Attempt": attempt }, body: "v" });
    expect(deliveries.map(({ headers }) => headers["kv-attempt"])).toEqual([attempt, again]);
  });

  test("no write is delivered more than twice: 502, outcome unknown", async () => {
    const { port, deliveries } = await frontStubs(program, () => "reset");
    const headers = { "KV-Write-Id": "w-1" };
    const response = await send({ port, method: "PUT", target: KEY, headers, body: "v" });
    expectProblem(response, "gateway-unavailable", { writeId: "w-1" });
    expect(response.headers["kv-write-id"]).toBe("w-1");
    expect(deliveries).toHaveLength(2);
  });

  test("what the second node says of the write is final, a 503 too", async () => {
    const { port, deliveries } = await frontStubs(program, (_, nth) =>
      nth === 1 ? "reset" : problemOfNode(503),
    );
    const response = await send({ port, method: "PUT", target: KEY, body: "v" });
    expect(response).toMatchObject({ status: 503, body: problemOfNode(503).body });
    expect(deliveries).toHaveLength(2);
  });

  test("an id that no node would accept is not repeated in the problem document", async () => {
    const { port, deliveries } = await frontStubs(program, () => "reset");
    const headers = { "KV-Write-Id": '","code":"ok' };
    const response = await send({ port, method: "PUT", target: KEY, headers, body: "v" });
    expectProblem(response, "gateway-unavailable");
    expect(response.headers["kv-write-id"]).toBeUndefined();
    expect(deliveries[0]?.headers["kv-write-id"]).toBe(headers["KV-Write-Id"]);
  });
});

describeFronts("second try of a read", (program) => {
  test.each([["reset"], [problemOfNode(503)], [problemOfNode(504)]] as const)(
    "after %o another node is asked, without KV-Attempt",
    async (firstAnswer) => {
      const { port, deliveries } = await frontStubs(program, (_, nth) =>
        nth === 1 ? firstAnswer : FOUND,
      );
      expect(await send({ port, target: KEY })).toMatchObject({ status: 200, body: "value" });
      expect(await send({ port, method: "HEAD", target: KEY })).toMatchObject({ status: 200 });
      expect(deliveries.map(({ method }) => method)).toEqual(["GET", "GET", "HEAD", "HEAD"]);
      expect(deliveries[1]?.node).not.toBe(deliveries[0]?.node);
      expect(deliveries[3]?.node).not.toBe(deliveries[2]?.node);
      expect(deliveries.map(({ headers }) => headers["kv-attempt"]).join("")).toBe("");
    },
  );

  test.each([503, 504])("a %i of both nodes is the second one's, untouched", async (status) => {
    const { port, deliveries } = await frontStubs(program, () => problemOfNode(status));
    const response = await send({ port, target: KEY });
    expect(response).toMatchObject({ ...problemOfNode(status) });
    expect(deliveries).toHaveLength(2);
  });

  test("503s of reads put no node out: 60 of them, then a write needs one try", async () => {
    const { port, deliveries } = await frontStubs(program, ({ method }) =>
      method === "PUT" ? DONE : problemOfNode(503),
    );
    await sendMany(60, { port, target: KEY });
    await send({ port, method: "PUT", target: KEY, body: "v" });
    expect(deliveries.at(-1)?.headers["kv-attempt"]).toBeUndefined();
  });

  test.each([304, 400, 404, 429, 500])("a node's %i is final", async (status) => {
    const { port, deliveries } = await frontStubs(program, () => ({
      status,
      headers: { etag: '"1"' },
    }));
    const response = await send({ port, target: KEY });
    expect(response).toMatchObject({ status, headers: { etag: '"1"' }, body: "" });
    expect(deliveries).toHaveLength(1);
  });
});

describeFronts("dead and hung nodes", (program) => {
  test("a node that dies costs no request: 200 PUTs and 200 GETs are all 2xx", async () => {
    const { port, nodes, deliveries } = await frontStubs(program, ({ method }) =>
      method === "PUT" ? DONE : FOUND,
    );
    await sendMany(50, { port, target: KEY }); // idle connections to all nodes
    await nodes[1].close();
    const puts = await sendMany(200, { port, method: "PUT", target: KEY, body: "v" });
    const gets = await sendMany(200, { port, target: KEY });
    expect(new Set(puts)).toEqual(new Set([204]));
    expect(new Set(gets)).toEqual(new Set([200]));
    const written = deliveries.filter(({ method }) => method === "PUT");
    expect(new Set(written.map(({ headers }) => headers["kv-write-id"])).size).toBe(200);
  });

  test("nodes that break one after another cost no request, though those before may still count as out", async () => {
    let broken: string | undefined;
    const { port, nodes } = await frontStubs(program, ({ node }) =>
      node === broken ? "reset" : DONE,
    );
    const put = { port, method: "PUT", target: KEY, body: "v" };
    for (const { address } of [...nodes, ...nodes]) {
      broken = address;
      expect(new Set(await sendMany(60, put))).toEqual(new Set([204]));
    }
  });

  test("all nodes dead: 502, unknown for a write and not-applied for a read", async () => {
    const { port, nodes } = await frontStubs(program, () => DONE);
    for (const node of nodes) await node.close();
    const headers = { "KV-Write-Id": "w-1" };
    const put = await send({ port, method: "PUT", target: KEY, headers, body: "v" });
    expectProblem(put, "gateway-unavailable", { writeId: "w-1" });
    const read = { outcome: "not-applied", retry: "after" };
    expectProblem(await send({ port, target: KEY }), "gateway-unavailable", read);
    const head = await send({ port, method: "HEAD", target: KEY });
    expect(head).toMatchObject({ status: 502, body: "" });
  });

  test("a hung node's write is done by another one", async () => {
    const { port, deliveries } = await frontStubs(
      program,
      (_, nth) => (nth === 1 ? "hang" : DONE),
      {
        readTimeoutMs: SHORT_READ_TIMEOUT_MS,
      },
    );
    const response = await send({ port, method: "PUT", target: KEY, body: "v" });
    expect(response.status).toBe(204);
    expect(deliveries.map(({ headers }) => headers["kv-attempt"])).toEqual([undefined, "2"]);
    expect(deliveries[1]?.node).not.toBe(deliveries[0]?.node);
  });

  test("two hung nodes: 504, unknown for a write and not-applied for a read", async () => {
    const { port, deliveries } = await frontStubs(program, () => "hang", {
      readTimeoutMs: SHORT_READ_TIMEOUT_MS,
    });
    const headers = { "KV-Write-Id": "w-1" };
    const put = await send({ port, method: "PUT", target: KEY, headers, body: "v" });
    expectProblem(put, "gateway-timeout", { writeId: "w-1" });
    const read = { outcome: "not-applied", retry: "after" };
    expectProblem(await send({ port, target: KEY }), "gateway-timeout", read);
    expect(deliveries).toHaveLength(4);
  });

  test("after failures everywhere the next requests pass at once", async () => {
    let broken = true;
    const { port } = await frontStubs(program, () => (broken ? "reset" : DONE));
    const put = { port, method: "PUT", target: KEY, body: "v" };
    await sendMany(60, put);
    broken = false;
    expect(new Set(await sendMany(60, put))).toEqual(new Set([204]));
  });

  test.each(["PUT", "GET"])(
    "%s with ?timeout= above 2,000 is waited for longer",
    async (method) => {
      let release: (answer: Answer) => void = () => undefined;
      const slow = new Promise<Answer>((resolve) => (release = resolve));
      const { port, deliveries } = await frontStubs(program, () => slow, {
        readTimeoutMs: SHORT_READ_TIMEOUT_MS,
      });
      const long = ["timeout=2001", "r=1&timeout=5000", "timeout=30000", "timeout=%35000"].map(
        (query) => send({ port, method, target: `${KEY}?${query}` }),
      );
      for (const query of ["timeout=2000", "timeout=1", "r=1"]) {
        expect(await send({ port, method, target: `${KEY}?${query}` })).toMatchObject({
          status: 504,
        });
      }
      expect(deliveries).toHaveLength(long.length + 2 * 3);
      release(FOUND);
      for (const response of await Promise.all(long)) expect(response.status).toBe(200);
      expect(deliveries).toHaveLength(long.length + 2 * 3);
    },
  );

  test.each(["PUT", "GET"])("%s with a long ?timeout= has its second try too", async (method) => {
    const { port, deliveries } = await frontStubs(
      program,
      (_, nth) => (nth === 1 ? "hang" : FOUND),
      {
        longReadTimeoutMs: SHORT_READ_TIMEOUT_MS,
      },
    );
    const response = await send({ port, method, target: `${KEY}?timeout=5000` });
    expect(response).toMatchObject({ status: 200, body: "value" });
    const again = method === "PUT" ? "2" : undefined;
    expect(deliveries.map(({ headers }) => headers["kv-attempt"])).toEqual([undefined, again]);
  });
});

// HAProxy asks each node whether it is ready instead: test/e2e/front.test.ts.
describe.skipIf(!needs(NGINX.program))("nginx: a node out of its group", () => {
  test("one slow request does not put its node out, three and more do", async () => {
    let hung: string | undefined;
    let hangs = 1;
    const { port, deliveries } = await frontStubs(
      NGINX,
      ({ node }) => {
        hung ??= node;
        if (node !== hung || hangs === 0) return DONE;
        hangs -= 1;
        return "hang";
      },
      { readTimeoutMs: SHORT_READ_TIMEOUT_MS },
    );
    const deliveredToHung = (): number => deliveries.filter(({ node }) => node === hung).length;
    const put = { port, method: "PUT", target: KEY, body: "v" };
    expect(await send(put)).toMatchObject({ status: 204 });
    expect(deliveredToHung()).toBe(1);
    expect(new Set(await sendMany(100, put))).toEqual(new Set([204]));
    expect(deliveredToHung()).toBeGreaterThan(8); // about a third of 100

    hangs = Infinity;
    expect(new Set(await sendMany(20, put))).toEqual(new Set([204]));
    const before = deliveredToHung();
    expect(new Set(await sendMany(100, put))).toEqual(new Set([204]));
    expect(deliveredToHung() - before).toBeLessThan(8); // about a third of 100, were it not out
  });
});
