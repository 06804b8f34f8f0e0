import { describe, expect, test } from "vitest";
import { KvClient } from "../../../src/client/client.ts";
import type { ListPage } from "../../../src/client/client.ts";
import { FakeNode, found, problem } from "../../support/fake-node.ts";
import type { Reply } from "../../support/fake-node.ts";

function page(keys: readonly object[], cursor: string | null): Reply {
  return found(JSON.stringify({ keys, cursor }), { "content-type": "application/json" });
}

async function all(pages: AsyncIterable<ListPage>): Promise<ListPage[]> {
  const found: ListPage[] = [];
  for await (const one of pages) found.push(one);
  return found;
}

describe("list", () => {
  test("asks page by page until there is no cursor, an empty page among them", async () => {
    await using node = await FakeNode.open(
      () => page([{ key: "a" }, { key64: "AP8" }], "c1"),
      () => page([], "c2"),
      () => page([{ key: "ü" }], null),
    );
    await using client = new KvClient({ endpoints: [node.url] });
    const pages = await all(client.list({ bucket: "b.1", prefix: "x", pageLimit: 2, r: "all" }));
    expect(pages.map(({ keys }) => keys)).toEqual([["a", Buffer.from([0, 255])], [], ["ü"]]);
    expect(pages.map(({ cursor }) => cursor)).toEqual(["c1", "c2", undefined]);
    expect(pages[0]?.quorum).toEqual({ needed: 2, acked: 3, epoch: 1 });
    const asked = node.requests.map(({ path, query }) => [
      path,
      query.get("prefix"),
      query.get("limit"),
      query.get("cursor"),
      query.get("r"),
    ]);
    expect(asked).toEqual([
      ["/v1/kv/b.1/", "x", "2", null, "all"],
      ["/v1/kv/b.1/", "x", "2", "c1", "all"],
      ["/v1/kv/b.1/", "x", "2", "c2", "all"],
    ]);
  });

  test("sends any bytes as a prefix, and goes on from a cursor", async () => {
    await using node = await FakeNode.open(() => page([], null));
    await using client = new KvClient({ endpoints: [node.url] });
    await all(client.list({ prefix: new Uint8Array([0x61, 0x2b, 0x20, 0x26, 0xff]), cursor: "c" }));
    await all(client.list({ prefix: "ü%" }));
    await all(client.list());
    expect(node.requests.map(({ search }) => search.replace(/&?timeout=\d+/, ""))).toEqual([
      "?prefix=a%2b%20%26%ff&cursor=c",
      "?prefix=%c3%bc%25",
      "?",
    ]);
  });

  test("a page that fails is asked for again, and one that cannot be had is the error of the loop", async () => {
    await using node = await FakeNode.open(
      () => page([{ key: "a" }], "c"),
      () => problem("read-unavailable"),
      () => page([{ key: "b" }], null),
    );
    await using client = new KvClient({ endpoints: [node.url], backoffMs: 1 });
    const pages = await all(client.list());
    expect(pages.flatMap(({ keys }) => keys)).toEqual(["a", "b"]);
    await using refusing = await FakeNode.open(() => problem("cursor-invalid"));
    await using other = new KvClient({ endpoints: [refusing.url] });
    await expect(all(other.list({ cursor: "x" }))).rejects.toMatchObject({
      code: "cursor-invalid",
    });
    expect(refusing.requests).toHaveLength(1);
  });

  test.each([
    ["no JSON", "keys"],
    ["no keys", '{"cursor":null}'],
    ["a key of an unknown form", '{"keys":[{"key65":"a"}],"cursor":null}'],
    ["a number for a cursor", '{"keys":[],"cursor":1}'],
    ["no cursor", '{"keys":[]}'],
  ])("an answer with %s is no page", async (_what, body) => {
    await using node = await FakeNode.open(() => found(body));
    await using client = new KvClient({ endpoints: [node.url] });
    await expect(client.listPage()).rejects.toMatchObject({ code: "answer-invalid" });
  });
});
