import { describe, expect, test } from "vitest";
import { KvClient } from "../../../src/client/client.ts";
import { FakeNode, WRITTEN, found, problem } from "../../support/fake-node.ts";
import type { Behaviour } from "../../support/fake-node.ts";
import { errorOf, instant } from "./support.ts";

function writeIdsOf(...nodes: FakeNode[]): Set<string | string[] | undefined> {
  return new Set(
    nodes.flatMap((node) => node.requests.map((request) => request.headers["kv-write-id"])),
  );
}

function attemptsOf(node: FakeNode): unknown[] {
  return node.requests.map((request) => request.headers["kv-attempt"]);
}

const unavailable: Behaviour = () => problem("write-unavailable");

describe("what the problem asks for", () => {
  test("retry 'no' is thrown after one attempt", async () => {
    await using node = await FakeNode.open(() => problem("value-too-large"));
    const client = new KvClient({ endpoints: [node.url] }, instant().modules);
    const error = await errorOf(client.put("k", "v"));
    expect(error).toMatchObject({ code: "value-too-large", outcome: "not-applied", status: 413 });
    expect(node.requests).toHaveLength(1);
    await client.close();
  });

  test("what no request can carry is thrown without a pause", async () => {
    await using node = await FakeNode.open(() => WRITTEN);
    const { slept, modules } = instant();
    const client = new KvClient({ endpoints: [node.url] }, modules);
    const error = await errorOf(client.put("k", "v", { contentType: "a\r\nx: y" }));
    expect(error).toMatchObject({ code: "header-invalid", outcome: "not-applied" });
    expect(slept).toEqual([]);
    expect(node.requests).toHaveLength(0);
    await client.close();
  });

  test("the node's own 'retry' wins over the table", async () => {
    await using node = await FakeNode.open(() => problem("overloaded", { retry: "no" }));
    const client = new KvClient({ endpoints: [node.url] }, instant().modules);
    await errorOf(client.put("k", "v"));
    expect(node.requests).toHaveLength(1);
    await client.close();
  });

  test("retry 'after' waits retryAfterMs, then asks the next endpoint", async () => {
    await using one = await FakeNode.open(() => problem("overloaded", { retryAfterMs: 700 }));
    await using two = await FakeNode.open(() => WRITTEN);
    const { slept, modules } = instant();
    const client = new KvClient({ endpoints: [one.url, two.url] }, modules);
    expect((await client.put("k", "v")).attempts).toBe(2);
    expect(slept).toEqual([700]);
    await client.close();
  });

  test("without retryAfterMs the pause is drawn below a bound that doubles up to backoffMaxMs", async () => {
    await using node = await FakeNode.open(() => problem("read-unavailable"));
    const { slept, modules } = instant();
    const client = new KvClient(
      { endpoints: [node.url], attemptsMax: 5, backoffMs: 100, backoffMaxMs: 500 },
      { ...modules, random: () => 0.5 },
    );
    await errorOf(client.get("k"));
    expect(slept).toEqual([100, 200, 250, 250]);
    await client.close();
  });

  test("'same-write-id' is tried again under the same write id, at most attemptsMax times", async () => {
    await using node = await FakeNode.open(() => problem("write-unknown"));
    const client = new KvClient({ endpoints: [node.url] }, instant().modules);
    const error = await errorOf(client.put("k", "v"));
    expect(node.requests).toHaveLength(4);
    expect(writeIdsOf(node).size).toBe(1);
    expect(error).toMatchObject({ code: "write-unknown", outcome: "unknown" });
    expect(writeIdsOf(node)).toContain(error.data.writeId);
    await client.close();
  });

  test("two writes never share a write id", async () => {
    await using node = await FakeNode.open(() => WRITTEN);
    const client = new KvClient({ endpoints: [node.url] });
    const [one, two] = [await client.put("k", "v"), await client.put("k", "v")];
    expect(one.writeId).not.toBe(two.writeId);
    expect(writeIdsOf(node)).toEqual(new Set([one.writeId, two.writeId]));
    await client.close();
  });
});

describe("KV-Attempt", () => {
  test("is absent from first attempts and from reads", async () => {
    await using node = await FakeNode.open(
      () => WRITTEN,
      () => "reset",
      () => found("v"),
    );
    const client = new KvClient({ endpoints: [node.url] }, instant().modules);
    await client.put("k", "v");
    await client.get("k");
    expect(attemptsOf(node)).toEqual([undefined, undefined, undefined]);
    await client.close();
  });

  test("counts on once a connection was lost after the request left", async () => {
    await using node = await FakeNode.open(
      () => "reset",
      () => problem("overloaded"),
      () => WRITTEN,
    );
    const client = new KvClient({ endpoints: [node.url] }, instant().modules);
    expect((await client.put("k", "v")).attempts).toBe(3);
    expect(attemptsOf(node)).toEqual([undefined, "2", "3"]);
    expect(writeIdsOf(node).size).toBe(1);
    await client.close();
  });

  test("counts on after an answer whose outcome is unknown", async () => {
    await using node = await FakeNode.open(
      () => problem("write-unknown"),
      () => WRITTEN,
    );
    const client = new KvClient({ endpoints: [node.url] }, instant().modules);
    await client.put("k", "v");
    expect(attemptsOf(node)).toEqual([undefined, "2"]);
    await client.close();
  });

  test("is absent after a proof that nothing was applied, so that later proofs still count", async () => {
    await using node = await FakeNode.open(unavailable);
    const client = new KvClient({ endpoints: [node.url] }, instant().modules);
    const error = await errorOf(client.put("k", "v"));
    expect(attemptsOf(node)).toEqual([undefined, undefined, undefined, undefined]);
    expect(error).toMatchObject({ code: "write-unavailable", outcome: "not-applied" });
    await client.close();
  });

  test("is absent after a refused connection, which proves that nothing was sent", async () => {
    await using node = await FakeNode.open(() => WRITTEN);
    const endpoints = [await FakeNode.closedUrl(), node.url];
    const client = new KvClient({ endpoints }, instant().modules);
    await client.put("k", "v");
    expect(attemptsOf(node)).toEqual([undefined]);
    await client.close();
  });
});

describe("the outcome of the whole write", () => {
  test("a refusal after a lost connection is 'unknown', whatever it says of itself", async () => {
    await using node = await FakeNode.open(
      () => "reset",
      () => problem("overloaded", { outcome: "not-applied", retry: "no" }),
    );
    const client = new KvClient({ endpoints: [node.url] }, instant().modules);
    const error = await errorOf(client.put("k", "v"));
    expect(error).toMatchObject({ code: "overloaded", outcome: "unknown" });
    await client.close();
  });

  test("a lost connection is write-unknown on a write and harmless on a read", async () => {
    await using node = await FakeNode.open(() => "reset");
    const client = new KvClient({ endpoints: [node.url], attemptsMax: 1 });
    const write = await errorOf(client.put("k", "v", { writeId: "w-1" }));
    expect(write).toMatchObject({ code: "write-unknown", data: { writeId: "w-1" } });
    const read = await errorOf(client.get("k"));
    expect(read).toMatchObject({ code: "unreachable", outcome: "not-applied" });
    await client.close();
  });

  test("nothing listens anywhere: unreachable, proven not applied", async () => {
    const endpoints = [await FakeNode.closedUrl(), await FakeNode.closedUrl()];
    const { slept, modules } = instant();
    // What was never sent costs no budget.
    const client = new KvClient({ endpoints, retryBurst: 0, retryRatio: 0 }, modules);
    const error = await errorOf(client.put("k", "v"));
    expect(error).toMatchObject({ code: "unreachable", outcome: "not-applied" });
    expect(error.message).toContain("ECONNREFUSED");
    expect(slept).toHaveLength(3);
    await client.close();
  });

  test("an answer is told rather than the refused connection that followed it", async () => {
    await using node = await FakeNode.open(unavailable);
    const endpoints = [node.url, await FakeNode.closedUrl()];
    const client = new KvClient({ endpoints, attemptsMax: 2 }, instant().modules);
    expect((await errorOf(client.put("k", "v"))).code).toBe("write-unavailable");
    await client.close();
  });
});

describe("failover", () => {
  test("with N-1 of N endpoints dead every call still succeeds at once (N=7, attemptsMax=4)", async () => {
    await using node = await FakeNode.open(() => WRITTEN);
    const dead = await Promise.all(Array.from({ length: 6 }, () => FakeNode.closedUrl()));
    const { slept, modules } = instant();
    const client = new KvClient({ endpoints: [...dead, node.url] }, modules);
    expect((await client.put("k", "v")).attempts).toBe(1);
    expect(slept).toEqual([]);
    await client.close();
  });

  test("an endpoint that hung rests: later calls do not wait for it", async () => {
    await using hung = await FakeNode.open(() => "hang");
    await using node = await FakeNode.open(() => found("v"));
    const client = new KvClient(
      { endpoints: [hung.url, node.url], attemptTimeoutMs: 500, endpointRestMs: 60_000 },
      instant().modules,
    );
    for (let call = 0; call < 5; call += 1) expect(await client.get("k")).toBeDefined();
    expect(hung.requests).toHaveLength(1);
    expect(node.requests).toHaveLength(5);
    await client.close();
  });

  test("calls are spread over the endpoints", async () => {
    await using one = await FakeNode.open(() => found("v"));
    await using two = await FakeNode.open(() => found("v"));
    const client = new KvClient({ endpoints: [one.url, two.url] });
    for (let call = 0; call < 10; call += 1) await client.get("k");
    expect([one.requests.length, two.requests.length]).toEqual([5, 5]);
    await client.close();
  });

  test("many calls on few connections to a dead endpoint all fail over (connectionsMax=1)", async () => {
    await using node = await FakeNode.open(() => found("v"));
    const endpoints = [await FakeNode.closedUrl(), node.url];
    const client = new KvClient({ endpoints, connectionsMax: 1 }, instant().modules);
    const reads = await Promise.all(Array.from({ length: 20 }, () => client.get("k")));
    expect(reads.filter((read) => read !== undefined)).toHaveLength(20);
    await client.close();
  });
});

describe("bounds", () => {
  test("a burst of retries ends with the budget; unsent attempts cost nothing", async () => {
    await using node = await FakeNode.open(() => problem("read-unavailable"));
    const client = new KvClient(
      { endpoints: [node.url], retryRatio: 0, retryBurst: 5 },
      instant().modules,
    );
    for (let call = 0; call < 4; call += 1) await errorOf(client.get("k"));
    // 4 + 3 (the budget of 5 ends within the second call's retries) + 1 + 1
    expect(node.requests).toHaveLength(4 + 3 + 1 + 1);
    await client.close();
  });

  test("calls earn retries back: ten calls for one", async () => {
    let healthy = true;
    await using node = await FakeNode.open(() =>
      healthy ? found("v") : problem("read-unavailable"),
    );
    const client = new KvClient({ endpoints: [node.url], retryBurst: 1 }, instant().modules);
    healthy = false;
    await errorOf(client.get("k"));
    expect(node.requests).toHaveLength(2);
    healthy = true;
    for (let call = 0; call < 10; call += 1) await client.get("k");
    healthy = false;
    await errorOf(client.get("k"));
    expect(node.requests).toHaveLength(2 + 10 + 2);
    await client.close();
  });

  test("a call ends at its own deadline, below a second too, and says what is known", async () => {
    await using node = await FakeNode.open(() => "hang");
    const client = new KvClient({ endpoints: [node.url] });
    const begun = performance.now();
    const read = await errorOf(client.get("k", { timeoutMs: 150 }));
    const write = await errorOf(client.put("k", "v", { timeoutMs: 150 }));
    const tookMs = performance.now() - begun;
    expect(tookMs).toBeGreaterThan(290);
    expect(tookMs).toBeLessThan(900);
    expect(read.code).toBe("read-timeout");
    expect(write).toMatchObject({ code: "write-unknown", outcome: "unknown" });
    await client.close();
  });

  test("a write that never got a connection within its time was not applied", async () => {
    await using node = await FakeNode.open(
      () => "hang",
      () => found("v"),
    );
    const client = new KvClient({ endpoints: [node.url], connectionsMax: 1, attemptsMax: 1 });
    const blocker = errorOf(client.get("k", { timeoutMs: 400 }));
    const error = await errorOf(client.put("k", "v", { timeoutMs: 100 }));
    expect(error).toMatchObject({ code: "unreachable", outcome: "not-applied" });
    await blocker;
    // The write stood before this read in the queue for the connection, and is not sent even now.
    await client.get("k");
    await client.close();
    expect(node.requests.map((request) => request.method)).toEqual(["GET", "GET"]);
  });

  test("a pause that would outlast the deadline is not begun", async () => {
    await using node = await FakeNode.open(() => problem("overloaded", { retryAfterMs: 10_000 }));
    const client = new KvClient({ endpoints: [node.url] });
    expect((await errorOf(client.get("k", { timeoutMs: 1_000 }))).code).toBe("overloaded");
    expect(node.requests).toHaveLength(1);
    await client.close();
  });

  test("a signal ends a call under way and one in its pause, with the signal's reason", async () => {
    await using hung = await FakeNode.open(() => "hang");
    await using busy = await FakeNode.open(() => problem("overloaded", { retryAfterMs: 4_000 }));
    for (const node of [hung, busy]) {
      const client = new KvClient({ endpoints: [node.url] });
      const control = new AbortController();
      const begun = performance.now();
      const read = client.get("k", { signal: control.signal });
      setTimeout(() => control.abort(new Error("enough")), 50);
      await expect(read).rejects.toThrow("enough");
      expect(performance.now() - begun).toBeLessThan(1_000);
      await expect(client.get("k", { signal: control.signal })).rejects.toThrow("enough");
      await client.close();
      expect(node.requests).toHaveLength(1);
    }
  });
});
