import { describe, expect, test } from "vitest";
import { FakeNode, found, problem } from "../../support/fake-node.ts";
import type { Reply } from "../../support/fake-node.ts";
import { kv } from "../../support/shell.ts";

function page(keys: readonly object[], cursor: string | null): Reply {
  return found(JSON.stringify({ keys, cursor }), { "content-type": "application/json" });
}

const PAGES = [
  () => page([{ key: "a" }, { key: "line\nfeed" }], "c1"),
  () => page([{ key: "ü 🙂" }, { key64: "AP8" }], null),
] as const;

describe("kv ls", () => {
  test("prints one key a line, what is no plain text as base64url, and says so", async () => {
    await using node = await FakeNode.open(...PAGES);
    const ran = await kv(["ls", "-e", node.url]);
    expect(ran).toMatchObject({
      exitCode: 0,
      stderr: "kv: 2 keys are no plain text and written as base64url\n",
    });
    expect(ran.stdout.toString()).toBe("a\nbGluZQpmZWVk\nü 🙂\nAP8\n");
  });

  test("-o jsonl names every key as kv export reads it, -o json is one array", async () => {
    const rows = [{ key: "a" }, { key: "line\nfeed" }, { key: "ü 🙂" }, { key64: "AP8" }];
    await using node = await FakeNode.open(...PAGES, ...PAGES, () => page([], null));
    const lines = await kv(["ls", "-o", "jsonl", "-e", node.url]);
    expect(
      lines.stdout
        .toString()
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual(rows);
    const array = await kv(["ls", "-o", "json", "-b", "carts", "-e", node.url]);
    expect(JSON.parse(array.stdout.toString())).toEqual(
      rows.map((row) => ({ bucket: "carts", ...row })),
    );
    const none = await kv(["ls", "-o", "json", "-e", node.url]);
    expect([none.exitCode, none.stdout.toString()]).toEqual([0, "[]\n"]);
  });

  test("--limit ends it, also within a page, and asks for no more than it prints", async () => {
    await using node = await FakeNode.open(...PAGES);
    const three = await kv(["ls", "--limit", "3", "-e", node.url]);
    expect(three.stdout.toString()).toBe("a\nbGluZQpmZWVk\nü 🙂\n");
    expect(node.requests.map(({ query }) => query.get("limit"))).toEqual(["3", "3"]);
    await using other = await FakeNode.open(...PAGES);
    await kv(["ls", "--limit", "2", "-e", other.url]);
    expect(other.requests).toHaveLength(1);
  });

  test.each([
    [["--prefix", "user/"], "user/"],
    [["user/"], "user/"],
    [["--prefix", "AP8", "--key-encoding", "base64url"], "%00%ff"],
  ])("%j is the prefix", async (argv, prefix) => {
    await using node = await FakeNode.open(() => page([], null));
    expect((await kv(["ls", ...argv, "-e", node.url])).exitCode).toBe(0);
    expect(node.requests[0]?.search).toContain(`prefix=${prefix}&`);
  });

  test("a prefix given twice is a mistake: exit code 2", async () => {
    const ran = await kv(["ls", "a", "--prefix", "b"]);
    expect([ran.exitCode, ran.stderr]).toEqual([2, expect.stringContaining("given twice")]);
  });

  test("one that breaks off is an error, exit code 5, behind what was printed", async () => {
    await using node = await FakeNode.open(PAGES[0], () => problem("read-unavailable"));
    const ran = await kv(["ls", "--timeout", "200", "-e", node.url]);
    expect(ran.exitCode).toBe(5);
    expect(ran.stdout.toString()).toContain("a\n");
    expect(ran.stderr).toContain("[read-unavailable]");
  });
});
