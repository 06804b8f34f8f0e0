import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Interrupted } from "../../../src/cli/exit-code.ts";
import { FakeNode, keepsValues, problem, siblings } from "../../support/fake-node.ts";
import { kv } from "../../support/shell.ts";

describe("kv get", () => {
  test("prints the bytes as they are stored, and adds a line end for a terminal only", async () => {
    await using node = await FakeNode.open(keepsValues());
    const env = { KV_ENDPOINTS: node.url };
    const bytes = Buffer.from([0, 255, 10, 13]);
    await kv(["put", "k"], { env, stdin: bytes });
    expect((await kv(["get", "k"], { env })).stdout).toEqual(bytes);
    expect((await kv(["get", "k"], { env, terminal: true })).stdout).toEqual(
      Buffer.concat([bytes, Buffer.from("\n")]),
    );
    await kv(["put", "line", "text\n"], { env });
    const line = await kv(["get", "line"], { env, terminal: true });
    expect(line.stdout.toString()).toBe("text\n");
  });

  test("-o json is stable, and base64 where the value or the key is not UTF-8", async () => {
    await using node = await FakeNode.open(keepsValues());
    const env = { KV_ENDPOINTS: node.url };
    await kv(["put", "k", "v", "--content-type", "text/plain"], { env });
    await kv(["put", "AP8", "--key-encoding", "base64url"], { env, stdin: Buffer.from([255]) });
    const text = await kv(["get", "k", "-o", "json"], { env });
    expect(JSON.parse(text.stdout.toString())).toEqual({
      bucket: "default",
      key: "k",
      keyEncoding: "utf8",
      value: "v",
      encoding: "utf8",
      contentType: "text/plain",
      contentEncoding: null,
      etag: '"e1"',
      lastModified: null,
      expiresAt: null,
      writeId: null,
      context: null,
      quorum: { needed: 2, acked: 3, epoch: 1 },
    });
    const argv = ["get", "AP8", "--key-encoding", "base64url", "-o", "jsonl"];
    const bytes = await kv(argv, { env });
    expect(bytes.stdout.toString()).toMatch(/^\{.*\}\n$/);
    expect(JSON.parse(bytes.stdout.toString())).toMatchObject({
      key: "AP8",
      keyEncoding: "base64url",
      value: "/w==",
      encoding: "base64",
    });
  });

  test("a byte order mark is a part of the value", async () => {
    await using node = await FakeNode.open(keepsValues());
    const env = { KV_ENDPOINTS: node.url };
    await kv(["put", "k"], { env, stdin: "\ufeffx" });
    const { stdout } = await kv(["get", "k", "-o", "json"], { env });
    expect(JSON.parse(stdout.toString())).toMatchObject({ value: "\ufeffx", encoding: "utf8" });
  });

  test("no value: exit code 3, nothing on stdout, one line and the advice on stderr", async () => {
    await using node = await FakeNode.open(keepsValues());
    const ran = await kv(["get", "nope", "-e", node.url]);
    expect(ran.exitCode).toBe(3);
    expect(ran.stdout).toHaveLength(0);
    expect(ran.stderr).toBe(
      "kv: The key has no value: 'nope' in bucket 'default' [key-not-found]\n" +
        "  R replicas answered and none holds a value. `deleted: true` says that a tombstone is known: the key existed and was deleted.\n",
    );
    const quiet = await kv(["get", "nope", "-e", node.url, "-q"]);
    expect(quiet.stderr.split("\n")).toHaveLength(2);
  });

  test("siblings: exit code 4; -o json prints them with their context, else the message names them", async () => {
    const item = { writeId: "w", lastModified: "2026-01-01T00:00:00.000Z" };
    await using node = await FakeNode.open(() =>
      siblings("c1", [
        { ...item, version: "v2", value: null },
        { ...item, version: "v1", value: "/w==", contentType: "x/y" },
      ]),
    );
    const raw = await kv(["get", "k", "-e", node.url]);
    expect([raw.exitCode, raw.stdout.toString()]).toEqual([4, ""]);
    expect(raw.stderr).toMatch(/the key has 2 siblings: v2, v1\n {2}`kv get KEY -o json`/);
    const json = await kv(["get", "k", "-e", node.url, "-o", "json"]);
    expect(json.exitCode).toBe(4);
    const common = { ...item, contentEncoding: null, expiresAt: null };
    expect(JSON.parse(json.stdout.toString())).toEqual({
      bucket: "default",
      key: "k",
      keyEncoding: "utf8",
      siblings: [
        { ...common, version: "v2", value: null, encoding: null, contentType: null },
        { ...common, version: "v1", value: "/w==", encoding: "base64", contentType: "x/y" },
      ],
      context: "c1",
      quorum: { needed: 2, acked: 3, epoch: 1 },
    });
  });

  test("one sibling is printed by its version", async () => {
    await using node = await FakeNode.open(keepsValues());
    await kv(["put", "k", "v", "-e", node.url]);
    const ran = await kv(["get", "k", "-e", node.url, "--sibling", "v1"]);
    expect([ran.exitCode, ran.stdout.toString()]).toEqual([0, "v"]);
    expect(node.requests[1]?.query.get("version")).toBe("v1");
  });
});

describe("kv put and kv del", () => {
  test("the value is an argument, a file, stdin, or what follows --", async () => {
    await using node = await FakeNode.open(keepsValues());
    const env = { KV_ENDPOINTS: node.url };
    const folder = await mkdtemp(join(tmpdir(), "kv-test-"));
    await writeFile(join(folder, "f"), "of the file");
    await kv(["put", "k", "argument"], { env });
    await kv(["put", "k", ""], { env });
    await kv(["put", "k", `@${join(folder, "f")}`], { env });
    await kv(["put", "k", "-"], { env, stdin: "of stdin" });
    await kv(["put", "k"], { env, stdin: "@not a file" });
    await kv(["put", "k", "--", "-dash"], { env });
    expect(node.requests.map(({ body }) => body.toString())).toEqual([
      "argument",
      "",
      "of the file",
      "of stdin",
      "@not a file",
      "-dash",
    ]);
    await rm(folder, { recursive: true });
  });

  test("flags become the request's parameters; -o json prints the write id that was sent", async () => {
    await using node = await FakeNode.open(keepsValues());
    const flags = ["-b", "b1", "-w", "all", "--durability", "async", "--timeout", "1000"];
    const put = await kv(["put", "k", "v", "-e", node.url, "--ttl", "60", "-o", "json", ...flags]);
    const del = await kv(["-e", node.url, "del", "k", "-w", "1", "--write-id", "again-1"]);
    const [first, second] = node.requests;
    expect(first?.path).toBe("/v1/kv64/b1/aw");
    expect(first?.query.get("w")).toBe("all");
    expect(first?.query.get("durability")).toBe("async");
    expect(first?.query.get("ttl")).toBe("60");
    expect(second?.query.has("ttl")).toBe(false);
    expect(first?.query.get("timeout")).toMatch(/^(8[5-9]\d|900)$/);
    expect(JSON.parse(put.stdout.toString())).toEqual({
      bucket: "b1",
      key: "k",
      keyEncoding: "utf8",
      writeId: first?.headers["kv-write-id"],
      etag: '"e1"',
      context: null,
      quorum: { needed: 2, acked: 3, epoch: 1 },
      attempts: 1,
    });
    expect(second?.headers["kv-write-id"]).toBe("again-1");
    expect(del.stderr).toBe("kv: deleted 'k': 3 acknowledged, 2 needed\n");
    expect(del.stdout).toHaveLength(0);
  });

  test("--causal-context is sent with the write", async () => {
    await using node = await FakeNode.open(keepsValues());
    await kv(["put", "k", "v", "-e", node.url, "--causal-context", "c1"]);
    await kv(["del", "k", "-e", node.url, "--causal-context", "c2"]);
    expect(node.requests.map(({ headers }) => headers["kv-context"])).toEqual(["c1", "c2"]);
  });

  test("-q silences notes", async () => {
    await using node = await FakeNode.open(keepsValues());
    const ran = await kv(["put", "k", "v", "-e", node.url, "-q"]);
    expect(ran).toMatchObject({ exitCode: 0, stderr: "" });
  });

  test("an unknown outcome: exit code 6 and how to repeat this very write", async () => {
    await using node = await FakeNode.open(() => problem("write-unknown", { retry: "no" }));
    const ran = await kv(["put", "k", "v", "-e", node.url, "--write-id", "w-7"]);
    expect(ran.exitCode).toBe(6);
    expect(ran.stderr).toContain("[write-unknown]\n");
    expect(ran.stderr).toContain("--write-id w-7\n");
  });

  test("proven not applied: exit code 5, and nothing about repeating", async () => {
    await using node = await FakeNode.open(() => problem("write-unavailable", { retry: "no" }));
    const ran = await kv(["put", "k", "v", "-e", node.url]);
    expect(ran.exitCode).toBe(5);
    expect(ran.stderr).not.toContain("--write-id");
  });
});

describe("what goes wrong before or around a request", () => {
  test("no endpoint: exit code 8, and the endpoint is named", async () => {
    const url = await FakeNode.closedUrl();
    const ran = await kv(["get", "k", "-e", url]);
    expect(ran.exitCode).toBe(8);
    expect(ran.stderr).toContain(`${url}: connect ECONNREFUSED`);
    expect(ran.stderr).toContain("KV_ENDPOINTS");
  });

  test.for([
    [["get"], "missing required argument 'KEY'"],
    [["get", "k", "-r", "0"], "It is a number from 1"],
    [["get", "k", "--timeout", "soon"], "It is a whole number"],
    [["get", "k", "--ttl", "3"], "unknown option '--ttl'"],
    [["get", "k", "-o", "yaml"], "Allowed choices are table, json, jsonl"],
    [["frobnicate"], "unknown command 'frobnicate'"],
    [["put", "k", "v", "--durability", "maybe"], "Allowed choices are sync, async"],
    [["get", "a=", "--key-encoding", "base64url"], "'a=' is not unpadded base64url"],
    [["get", "k", "-e", "http://h/path"], "'http://h/path' is no endpoint"],
    [["get", "k", "-b", "No"], "[bucket-name-invalid]"],
    [["get", ""], "[key-invalid]"],
    [["put", "k", "@/no/such/file"], "cannot read '/no/such/file': there is no such file"],
    [["put", "k", "@/tmp"], "cannot read '/tmp': it is a folder"],
  ] as const)("kv %j is a usage error", async ([argv, message]) => {
    const ran = await kv(argv);
    expect(ran.exitCode).toBe(2);
    expect(ran.stderr).toContain(message);
    expect(ran.stderr).toMatch(/^kv: /);
    expect(ran.stdout).toHaveLength(0);
  });

  test("the flag wins over KV_ENDPOINTS; several endpoints stand behind commas", async () => {
    await using node = await FakeNode.open(keepsValues());
    const closed = await FakeNode.closedUrl();
    const env = { KV_ENDPOINTS: closed };
    const host = node.url.replace("http://", "");
    expect((await kv(["put", "k", "v", "-e", `${closed}, ${host}`], { env })).exitCode).toBe(0);
    expect((await kv(["put", "k", "v"], { env })).exitCode).toBe(8);
  });

  test("colours: on a terminal, unless NO_COLOR or --no-color", async () => {
    const escape = "\u001b[";
    const argv = ["get", ""];
    expect((await kv(argv, { terminal: true })).stderr).toContain(escape);
    expect((await kv(argv)).stderr).not.toContain(escape);
    expect((await kv([...argv, "--no-color"], { terminal: true })).stderr).not.toContain(escape);
    const env = { NO_COLOR: "1" };
    expect((await kv(argv, { terminal: true, env })).stderr).not.toContain(escape);
  });

  test("a signal ends the request: exit code 130", async () => {
    await using node = await FakeNode.open(() => "hang");
    const control = new AbortController();
    const ran = kv(["get", "k", "-e", node.url], { signal: control.signal });
    setTimeout(() => control.abort(new Interrupted("SIGINT")), 50);
    expect(await ran).toMatchObject({ exitCode: 130, stderr: "kv: interrupted (SIGINT)\n" });
  });
});

test.for(["get", "put", "del", "status", "import", "export", "dev", "serve", "version"])(
  "kv %s --help shows an example",
  async (command) => {
    const { stdout, exitCode } = await kv([command, "--help"]);
    expect(exitCode).toBe(0);
    expect(stdout.toString()).toMatch(/Examples?[^\n]*:\n {2}\S/);
    expect(stdout.toString()).toContain(`kv ${command}`);
  },
);
