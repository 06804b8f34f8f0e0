import { expect, test } from "vitest";
import { startCluster } from "../support/cluster.ts";

const KEY = "hunter2-the-key";
const VALUE = "hunter2-the-value";
const SECRET = "hunter2-the-secret";

function linesOf(log: string): readonly Record<string, unknown>[] {
  return log
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test("at level debug, with every operation slow and some failing, no key, value or secret is logged", async () => {
  await using cluster = await startCluster({
    nodes: 3,
    nodeOptions: { logLevel: "debug", slowOperationMs: "1" },
    nodeEnv: () => ({ KV_SECRET: SECRET }),
  });
  const { n1, n2, n3 } = cluster.nodes;
  if (n1 === undefined || n2 === undefined || n3 === undefined) throw new Error("three nodes");
  const url = `${n1.url}/v1/kv/default/${KEY}`;
  const headers = { authorization: `Bearer ${SECRET}`, "KV-Request-Id": "asked-once" };
  for (let i = 0; i < 20; i++) {
    expect((await fetch(url, { method: "PUT", body: VALUE, headers })).status).toBe(204);
    expect((await fetch(url, { headers })).status).toBe(200);
  }
  await Promise.all([n2.kill(), n3.kill()]);
  expect((await fetch(url, { headers: { "KV-Request-Id": "failed-once" } })).ok).toBe(false);
  expect((await fetch(url, { method: "PUT", body: VALUE })).ok).toBe(false);

  const operations = linesOf(n1.log()).filter(({ msg }) => String(msg).startsWith("an operation"));
  expect(operations.find(({ requestId }) => requestId === "asked-once")).toMatchObject({
    level: "info",
    bucket: "default",
    phases: expect.arrayContaining([expect.objectContaining({ end: "met" })]),
  });
  expect(operations.find(({ requestId }) => requestId === "failed-once")).toMatchObject({
    level: "warn",
    op: "read",
    node: "n1",
    keyHash: expect.stringMatching(/^[0-9a-f]{8}$/),
  });
  for (const node of [n1, n2, n3]) {
    expect(linesOf(node.log()).length).toBeGreaterThan(5);
    expect(node.log()).not.toContain("hunter2");
  }
});
