import { expect, test } from "vitest";
import { KvClient } from "../../src/client/client.ts";
import { startCluster } from "../support/cluster.ts";

test("a batch of three nodes writes through one what it reads through another, with one of them down (N=3 R=W=2)", async () => {
  await using cluster = await startCluster({ nodes: 3 });
  const [one = "", two = ""] = cluster.urls;
  await using writer = new KvClient({ endpoints: [one], timeoutMs: 20_000 });
  await using reader = new KvClient({ endpoints: [two], timeoutMs: 20_000 });
  await cluster.nodes["n3"]?.kill();
  const names = Array.from({ length: 100 }, (_, i) => `k${i}`);
  const written = await writer.batch(
    names.map((key) => ({ op: "put", key, value: `value of ${key}`, contentType: "text/x" })),
  );
  expect(written.map(({ kind }) => kind)).toEqual(names.map(() => "written"));
  const mixed = await reader.batch([
    ...names.map((key) => ({ op: "get", key }) as const),
    { op: "get", key: "nothing" },
    { op: "get", key: "k", r: "all" },
    { op: "delete", key: "k0" },
  ]);
  const values = mixed.map((result) =>
    result.kind === "value" ? Buffer.from(result.value).toString() : result.kind,
  );
  expect(values.slice(1)).toEqual([
    ...names.slice(1).map((key) => `value of ${key}`),
    "absent",
    "failed",
    "written",
  ]);
  expect((await reader.get("k0")).kind).toBe("absent");
});
