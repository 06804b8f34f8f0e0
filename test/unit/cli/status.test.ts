import { describe, expect, test } from "vitest";
import { judge } from "../../../src/cli/status/judge.ts";
import type { EndpointReport } from "../../../src/cli/status/examine.ts";
import type { ClusterStatus } from "../../../src/client/client.ts";
import { statusOf } from "../../support/cluster-status.ts";
import { FakeNode, problem } from "../../support/fake-node.ts";
import { kv } from "../../support/shell.ts";

function report(node: string, fields: Partial<ClusterStatus> = {}): EndpointReport {
  const status = statusOf(node, fields);
  return { endpoint: `http://${node}`, state: "ready", status, reason: null };
}

describe("the verdict", () => {
  test("all ready, all connected, all of one mind: healthy", () => {
    expect(judge([report("n1"), report("n2"), report("n3")])).toEqual({
      verdict: "healthy",
      summary: "cluster c1, 3 of 3 endpoints ready, 3 of 3 members asked",
      problems: [],
      effects: [],
    });
  });

  test("an unreachable member is a problem, also when every asked endpoint is ready", () => {
    const members = statusOf("n1").members.map((member) =>
      member.id === "n3" ? { ...member, state: "unreachable", reason: "timeout" } : member,
    );
    const { verdict, problems } = judge([report("n1", { members }), report("n2")]);
    expect(verdict).toBe("unhealthy");
    expect(problems.map(({ what }) => what)).toEqual([
      "n1 does not reach n3 at 10.0.0.3:7180: timeout",
    ]);
  });

  test("a member that several do not reach is told once, with each reason", () => {
    const blind = (node: string, reason: string) => ({
      members: statusOf(node).members.map((member) =>
        member.id === "n3" ? { ...member, state: "unreachable", reason } : member,
      ),
    });
    const { problems } = judge([
      report("n1", blind("n1", "timeout")),
      report("n2", blind("n2", "refused")),
    ]);
    expect(problems.map(({ what }) => what)).toEqual([
      "n1, n2 do not reach n3 at 10.0.0.3:7180: timeout; refused",
    ]);
  });

  test.for([
    [{ state: "draining" }, "drains: n1 ends the requests", "Start it again when its maintenance"],
    [{}, "does not take requests now: why", "read its log"],
  ] as const)("a node with %j that is not ready: what it does and what to do", (one) => {
    const [fields, what, advice] = one;
    const { problems } = judge([{ ...report("n1", fields), state: "not-ready", reason: "why" }]);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.what).toContain(what);
    expect(problems[0]?.advice).toContain(advice);
  });

  test("a proxy among the endpoints is told apart from a node that is down", () => {
    const proxy = { endpoint: "http://lb", state: "no-node", status: null, reason: "404" } as const;
    const { verdict, problems } = judge([report("n1"), proxy]);
    expect(verdict).toBe("unhealthy");
    expect(problems[0]?.what).toBe("http://lb answers, but not as a node does: 404");
    expect(problems[0]?.advice).toContain("name the client ports of the nodes behind it");
    expect(judge([proxy]).verdict).toBe("unreachable");
  });

  test("a node whose disk is nearly full is a problem, though it is ready", () => {
    const { verdict, problems } = judge([report("n1", { state: "read-only" }), report("n2")]);
    expect(verdict).toBe("unhealthy");
    expect(problems.map(({ what }) => what)).toEqual([
      "the disk of n1 is nearly full: it takes no writes of clients",
    ]);
  });

  test("a suspect member is a problem that says what becomes of requests", () => {
    const members = statusOf("n1").members.map((member) =>
      member.id === "n3" ? { ...member, state: "suspect", reason: "it is silent" } : member,
    );
    const { verdict, problems } = judge([report("n1", { members }), report("n2")]);
    expect(verdict).toBe("unhealthy");
    expect(problems.map(({ what }) => what)).toEqual(["n1 asks n3 last: it is silent"]);
    expect(problems[0]?.advice).toContain("Requests go to other replicas meanwhile");
  });

  test("a node that resynchronises says why, what it waits for and how to go on without", () => {
    const resync = { cause: "lost", partitions: 256, awaited: [] };
    const [healing] = judge([report("n1", { resync })]).problems;
    expect(healing?.what).toMatch(/^n1 answers no reads in 256 partitions: .* or salvaged$/);
    expect(healing?.advice).toBe("It comes back by itself.");
    const awaited = [{ node: "n3", what: "a copy of its partitions: unreachable" }];
    const [stuck] = judge([report("n1", { resync: { ...resync, awaited } })]).problems;
    expect(stuck?.what).toMatch(/awaits from n3 a copy of its partitions: unreachable$/);
    expect(stuck?.advice).toMatch(/--accept-data-loss true/);
  });

  test("a clock that differs by more than the limit is a problem, one within it is none", () => {
    const membersWith = (clockOffsetMs: number) =>
      statusOf("n1").members.map((member) =>
        member.id === "n3" ? { ...member, clockOffsetMs } : member,
      );
    const whatOf = (clockOffsetMs: number) =>
      judge([report("n1", { members: membersWith(clockOffsetMs) })]).problems.map(
        ({ what }) => what,
      );
    expect(whatOf(-501)).toEqual(["the clock of n3 is 501 ms behind that of n1"]);
    expect(whatOf(60_000)).toEqual(["the clock of n3 is 60000 ms ahead of that of n1"]);
    expect(whatOf(500)).toEqual([]);
  });

  test("a node whose own clock is wrong: what it does not do, how to go on, and nothing twice", () => {
    const members = statusOf("n1").members.map((member) => ({ ...member, clockOffsetMs: 60_000 }));
    const { problems } = judge([
      {
        ...report("n1", { members, clockProblem: "n2 is 60000 ms ahead" }),
        state: "not-ready",
        reason: "n2 is 60000 ms ahead",
      },
      report("n2", {
        members: statusOf("n2").members.map((member) =>
          member.id === "n1" ? { ...member, clockOffsetMs: -60_000 } : member,
        ),
      }),
    ]);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.what).toBe(
      "http://n1 coordinates neither writes nor reads: n2 is 60000 ms ahead",
    );
    expect(problems[0]?.advice).toContain("Set the clock of n1 right");
  });

  test.for([
    [{ clusterId: "c2" }, "different cluster ids: c1 on n1, n3; c2 on n2"],
    [{ epochHash: "00000000" }, "different epochs: 1/89abcdef on n1, n3; 1/00000000 on n2"],
    [{ documentVersion: 2 }, "different cluster documents: version 1 on n1, n3; version 2 on n2"],
  ] as const)("a disagreement about %j is a problem", ([fields, what]) => {
    const { verdict, problems } = judge([report("n1"), report("n2", fields), report("n3")]);
    expect(verdict).toBe("unhealthy");
    expect(problems.map((problem_) => problem_.what)).toEqual([`the nodes have ${what}`]);
  });
});

describe("kv status", () => {
  const node = (id: string) =>
    FakeNode.open(({ path }) =>
      path === "/readyz" ? { status: 200 } : { status: 200, body: JSON.stringify(statusOf(id)) },
    );

  test("healthy: exit code 0, a row an endpoint, a verdict", async () => {
    await using n1 = await node("n1");
    await using n2 = await node("n2");
    const ran = await kv(["status", "-e", `${n1.url},${n2.url}`]);
    expect(ran.exitCode).toBe(0);
    const lines = ran.stdout.toString().split("\n");
    expect(lines[0]).toMatch(/^ENDPOINT +NODE +STATE +VERSION +EPOCH +REACHES$/);
    expect(lines[1]).toMatch(
      /^http:\/\/127\.0\.0\.1:\d+ +n1 +ready +0\.1\.0 +1\/89abcdef +3 of 3$/,
    );
    expect(lines.at(-2)).toBe("healthy: cluster c1, 2 of 2 endpoints ready, 2 of 3 members asked");
  });

  test("an endpoint without a listener: exit code 9, what is wrong and what to do", async () => {
    await using n1 = await node("n1");
    const closed = await FakeNode.closedUrl();
    const ran = await kv(["status", "-e", `${n1.url},${closed}`]);
    expect(ran.exitCode).toBe(9);
    expect(ran.stdout.toString()).toContain(
      `! ${closed} gave no answer: No endpoint could be reached`,
    );
    expect(ran.stdout.toString()).toContain("Start the node, or correct -e");
    expect(ran.stdout.toString()).toContain("unhealthy: cluster c1, 1 of 2 endpoints ready");
  });

  test("a draining node: exit code 9", async () => {
    await using draining = await FakeNode.open(({ path }) =>
      path === "/readyz"
        ? problem("starting-or-draining")
        : { status: 200, body: JSON.stringify(statusOf("n1", { state: "draining" })) },
    );
    const ran = await kv(["status", "-e", draining.url]);
    expect(ran.exitCode).toBe(9);
    expect(ran.stdout.toString()).toContain(
      "drains: n1 ends the requests under way and takes no new ones",
    );
  });

  test("nobody answers: exit code 8; a stranger is no node either", async () => {
    const ran = await kv(["status", "-e", await FakeNode.closedUrl()]);
    expect(ran.exitCode).toBe(8);
    expect(ran.stdout.toString()).toContain("unreachable: no node answered");
    await using gone = await FakeNode.open(() => "reset");
    const reset = await kv(["status", "-e", gone.url, "-o", "jsonl"]);
    expect(reset.stdout.toString()).toContain('"state":"unreachable"');
    await using stranger = await FakeNode.open(() => ({ status: 200, body: "<html>" }));
    expect((await kv(["status", "-e", stranger.url])).exitCode).toBe(8);
    await using proxy = await FakeNode.open(() => problem("route-not-found"));
    const asked = await kv(["status", "-e", proxy.url]);
    expect(asked.exitCode).toBe(8);
    expect(asked.stdout.toString()).toContain("answers, but not as a node does");
  });

  test("a hung node costs --timeout, not the default of a request", async () => {
    await using hung = await FakeNode.open(() => "hang");
    const begun = performance.now();
    expect((await kv(["status", "-e", hung.url, "--timeout", "100"])).exitCode).toBe(8);
    expect(performance.now() - begun).toBeLessThan(1_000);
  });

  test("-o json and jsonl carry everything that was asked", async () => {
    await using n1 = await node("n1");
    const json = await kv(["status", "-e", n1.url, "-o", "json"]);
    expect(JSON.parse(json.stdout.toString())).toEqual({
      verdict: "healthy",
      summary: "cluster c1, 1 of 1 endpoints ready, 1 of 3 members asked",
      problems: [],
      effects: [],
      endpoints: [{ endpoint: n1.url, state: "ready", status: statusOf("n1"), reason: null }],
    });
    const closed = await FakeNode.closedUrl();
    const jsonl = await kv(["status", "-e", `${n1.url},${closed}`, "-o", "jsonl"]);
    const lines = jsonl.stdout.toString().trim().split("\n");
    expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([
      { kind: "endpoint", endpoint: n1.url, state: "ready" },
      { kind: "endpoint", endpoint: closed, state: "unreachable" },
      { kind: "problem", what: expect.stringContaining(closed) as unknown },
      { kind: "verdict", verdict: "unhealthy" },
    ]);
  });
});
