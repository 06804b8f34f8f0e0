import { describe, expect, test } from "vitest";
import { KvClient, hasCode } from "../../../src/client/client.ts";
import type { SiblingContent } from "../../../src/client/client.ts";
import { FakeNode, WRITTEN, found, problem, siblings } from "../../support/fake-node.ts";
import type { Behaviour, Reply } from "../../support/fake-node.ts";
import { errorOf, instant } from "./support.ts";

const written = (context: string): Reply => ({
  ...WRITTEN,
  headers: { ...WRITTEN.headers, "kv-context": context },
});

function item(version: string, value: string | null): Readonly<Record<string, unknown>> {
  return {
    version,
    value: value === null ? null : Buffer.from(value).toString("base64"),
    contentType: "text/plain",
    writeId: `w-${version}`,
    lastModified: "2026-01-01T00:00:00.000Z",
  };
}

/** Values as text, a delete as null. */
function texts(all: readonly SiblingContent[]): readonly (string | null)[] {
  return all.map(({ value }) => (value === null ? null : Buffer.from(value).toString()));
}

const union = (all: readonly SiblingContent[]): string =>
  [...new Set(texts(all).flatMap((text) => text?.split(",") ?? []))].toSorted().join();

describe("reading siblings", () => {
  test("all of them come with one context; a delete among them is null", async () => {
    await using node = await FakeNode.open(() =>
      siblings("c1", [item("v2", null), item("v1", "a")]),
    );
    await using client = new KvClient({ endpoints: [node.url] });
    const reading = await client.get("k");
    expect(reading).toMatchObject({ kind: "siblings", context: "c1", quorum: { acked: 3 } });
    const shown = reading.kind === "siblings" ? reading.siblings : [];
    expect(shown.map(({ version }) => version)).toEqual(["v2", "v1"]);
    expect(texts(shown)).toEqual([null, "a"]);
    expect(shown[1]).toMatchObject({ contentType: "text/plain", writeId: "w-v1" });
  });

  test("one value, and none, carry the context too; in buckets of one version there is none", async () => {
    await using node = await FakeNode.open(
      () => found("v", { "kv-context": "c1" }),
      () => {
        const absent = problem("key-not-found", { deleted: true });
        return { ...absent, headers: { ...absent.headers, "kv-context": "c2" } };
      },
      () => found("v"),
    );
    await using client = new KvClient({ endpoints: [node.url] });
    expect(await client.get("k")).toMatchObject({ kind: "value", context: "c1" });
    expect(await client.get("k")).toEqual({ kind: "absent", deleted: true, context: "c2" });
    expect((await client.get("k")).context).toBeUndefined();
  });

  test("one sibling is asked for by its version", async () => {
    await using node = await FakeNode.open(() => found("a"));
    await using client = new KvClient({ endpoints: [node.url] });
    await client.get("k", { version: "v1" });
    expect(node.requests[0]?.query.get("version")).toBe("v1");
  });

  test.each([
    ["no JSON", "<html>"],
    ["no list", "{}"],
    ["a list of one", JSON.stringify([item("v1", "a")])],
    ["no version", JSON.stringify([item("v1", "a"), { ...item("v2", "b"), version: 2 }])],
    ["no base64", JSON.stringify([item("v1", "a"), { ...item("v2", "b"), value: "%" }])],
  ])("a 300 with %s is not a node's answer", async (_name, body) => {
    await using node = await FakeNode.open(() => ({ ...siblings("c", []), body }));
    await using client = new KvClient({ endpoints: [node.url] });
    expect((await errorOf(client.get("k"))).code).toBe("answer-invalid");
  });

  test("a 300 of another server is not a node's answer", async () => {
    await using node = await FakeNode.open(() => ({
      status: 300,
      body: JSON.stringify([item("v1", "a"), item("v2", "b")]),
    }));
    await using client = new KvClient({ endpoints: [node.url] });
    expect((await errorOf(client.get("k"))).code).toBe("answer-invalid");
  });
});

describe("writing with a context", () => {
  test("put and delete send it on every attempt and return the next one", async () => {
    await using node = await FakeNode.open(
      () => problem("write-unavailable"),
      () => written("c2"),
      () => written("c3"),
    );
    await using client = new KvClient({ endpoints: [node.url] }, instant().modules);
    expect(await client.put("k", "v", { context: "c1" })).toMatchObject({ context: "c2" });
    expect(await client.delete("k", { context: "c2" })).toMatchObject({ context: "c3" });
    const sent = node.requests.map(({ headers }) => headers["kv-context"]);
    expect(sent).toEqual(["c1", "c1", "c2"]);
  });

  test("a refusal lists the siblings that stand in the way", async () => {
    await using node = await FakeNode.open(() =>
      problem("too-many-siblings", { siblings: ["v1", "v2"] }),
    );
    await using client = new KvClient({ endpoints: [node.url] });
    const error: unknown = await client.put("k", "v").catch((reason: unknown) => reason);
    expect(hasCode(error, "write-unknown")).toBe(false);
    expect(hasCode(error, "write-unknown", "too-many-siblings")).toBe(true);
    expect(hasCode(error, "too-many-siblings") && error.data.siblings).toEqual(["v1", "v2"]);
    expect(hasCode(new Error("too-many-siblings"), "too-many-siblings")).toBe(false);
  });
});

describe("an update", () => {
  const both = (): Reply => siblings("c1", [item("v2", "b"), item("v1", "a")]);

  test("writes what the merge makes of all siblings, with their context", async () => {
    await using node = await FakeNode.open(both, () => written("c2"));
    await using client = new KvClient({ endpoints: [node.url] });
    const options = { bucket: "sets", r: 2, w: 3, contentType: "text/x", ttlSeconds: 9 } as const;
    const result = await client.update("k", (all) => `${union(all)},c`, options);
    expect(result).toMatchObject({ context: "c2", attempts: 1 });
    const [get, put] = node.requests;
    expect([get?.method, get?.path, get?.query.get("r")]).toEqual(["GET", "/v1/kv64/sets/aw", "2"]);
    expect([put?.method, put?.path, put?.body.toString()]).toEqual([
      "PUT",
      "/v1/kv64/sets/aw",
      "a,b,c",
    ]);
    expect(put?.headers).toMatchObject({ "kv-context": "c1", "content-type": "text/x" });
    expect([put?.query.get("w"), put?.query.get("ttl")]).toEqual(["3", "9"]);
  });

  test("null deletes, undefined leaves the key as it is, and the merge may take its time", async () => {
    await using node = await FakeNode.open(both, () => written("c2"), both);
    await using client = new KvClient({ endpoints: [node.url] });
    expect(await client.update("k", async () => null, { w: 3 })).toMatchObject({ context: "c2" });
    expect(node.requests[1]).toMatchObject({ method: "DELETE", headers: { "kv-context": "c1" } });
    expect(node.requests[1]?.query.get("w")).toBe("3");
    expect(await client.update("k", () => undefined)).toBeUndefined();
    expect(node.requests).toHaveLength(3);
  });

  test("what is one value or none is merged alike", async () => {
    const seen: (readonly (string | null)[])[] = [];
    const absent = problem("key-not-found");
    await using node = await FakeNode.open(
      () => found("a", { "kv-context": "c1" }),
      () => written("c2"),
      () => ({ ...absent, headers: { ...absent.headers, "kv-context": "c3" } }),
      () => written("c4"),
    );
    await using client = new KvClient({ endpoints: [node.url] });
    for (let i = 0; i < 2; i++) {
      await client.update("k", (all) => {
        seen.push(texts(all));
        return "x";
      });
    }
    expect(seen).toEqual([["a"], []]);
    expect(node.requests.map(({ headers }) => headers["kv-context"])).toEqual([
      undefined,
      "c1",
      undefined,
      "c3",
    ]);
  });

  test.each(["too-many-siblings", "context-invalid"] as const)(
    "begins anew after %s: reads again, merges again, writes under a new id",
    async (code) => {
      await using node = await FakeNode.open(
        both,
        () => problem(code),
        () => siblings("c5", [item("v3", "c"), item("v2", "b")]),
        () => written("c6"),
      );
      const { slept, modules } = instant();
      await using client = new KvClient({ endpoints: [node.url] }, modules);
      expect(await client.update("k", union)).toMatchObject({ context: "c6" });
      const [, first, , second] = node.requests;
      expect([first?.body.toString(), second?.body.toString()]).toEqual(["a,b", "b,c"]);
      expect(second?.headers["kv-context"]).toBe("c5");
      expect(second?.headers["kv-write-id"]).not.toBe(first?.headers["kv-write-id"]);
      expect(slept).toHaveLength(1);
    },
  );

  test.each([
    ["is in doubt", () => problem("write-unknown")],
    ["cannot succeed", () => problem("context-too-large")],
  ] as const)(
    "ends when the write %s: another round might be a second effect",
    async (_is, end) => {
      await using node = await FakeNode.open(both, end);
      await using client = new KvClient({ endpoints: [node.url], attemptsMax: 1 });
      await errorOf(client.update("k", union));
      expect(node.requests).toHaveLength(2);
    },
  );

  test("ends when an earlier attempt may have been applied, though the last was refused", async () => {
    const inDoubt: Behaviour = () => problem("write-unknown");
    await using node = await FakeNode.open(both, inDoubt, () => problem("too-many-siblings"));
    await using client = new KvClient({ endpoints: [node.url] }, instant().modules);
    const error = await errorOf(client.update("k", union));
    expect([error.code, error.outcome]).toEqual(["too-many-siblings", "unknown"]);
    expect(node.requests).toHaveLength(3);
  });

  test("has a bound of rounds", async () => {
    let calls = 0;
    await using node = await FakeNode.open(({ method }) =>
      method === "GET" ? both() : problem("too-many-siblings"),
    );
    await using client = new KvClient({ endpoints: [node.url] }, instant().modules);
    const merge = (): string => {
      calls += 1;
      return "x";
    };
    expect((await errorOf(client.update("k", merge))).code).toBe("too-many-siblings");
    expect(calls).toBe(4);
    await errorOf(client.update("k", merge, { roundsMax: 2 }));
    expect(calls).toBe(6);
  });

  test("has one time for all rounds", async () => {
    let now = 0;
    await using node = await FakeNode.open(({ method }) => {
      now += 400;
      return method === "GET" ? both() : problem("too-many-siblings");
    });
    const modules = { ...instant().modules, now: () => now };
    await using client = new KvClient({ endpoints: [node.url] }, modules);
    const error = await errorOf(client.update("k", union, { timeoutMs: 1_000 }));
    // Read until 400, refused at 800, read until 1,200: for another write nothing is left.
    expect(error).toMatchObject({ code: "write-unavailable", outcome: "not-applied" });
    expect(node.requests.map(({ query }) => Number(query.get("timeout")))).toEqual([900, 540, 180]);
  });

  test("is refused before anything is written where a bucket keeps a single version", async () => {
    await using node = await FakeNode.open(() => found("a"));
    await using client = new KvClient({ endpoints: [node.url] });
    const error = await errorOf(client.update("k", union));
    expect([error.code, error.outcome]).toEqual(["bucket-mode-unfit", "not-applied"]);
    expect(error.message).toContain("'default'");
    expect(node.requests).toHaveLength(1);
  });

  test("what the merge throws is thrown, and nothing is written", async () => {
    await using node = await FakeNode.open(both);
    await using client = new KvClient({ endpoints: [node.url] });
    const merge = (): string => {
      throw new TypeError("no merge of these");
    };
    await expect(client.update("k", merge)).rejects.toThrow("no merge of these");
    expect(node.requests).toHaveLength(1);
  });
});
