import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Interrupted } from "../../../src/cli/exit-code.ts";
import { FakeNode, WRITTEN, keepsValues, problem, siblings } from "../../support/fake-node.ts";
import type { Behaviour } from "../../support/fake-node.ts";
import { kv } from "../../support/shell.ts";

let folder = "";
let file = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kv-test-"));
  file = join(folder, "rows.jsonl");
});
afterEach(() => rm(folder, { recursive: true }));

/** Answers /readyz, by which a command finds out that somebody is there. */
function alive(behave: Behaviour): Behaviour {
  return (request) => (request.path === "/readyz" ? { status: 200 } : behave(request));
}

function rows(count: number): string {
  return Array.from({ length: count }, (_, n) => `{"key":"k${n}","value":"v${n}"}\n`).join("");
}

function writes(node: FakeNode) {
  return node.requests.filter(({ method }) => method === "PUT");
}

describe("kv import", () => {
  test("imports 500 rows and says so in the last line", async () => {
    await using node = await FakeNode.open(alive(() => WRITTEN));
    await writeFile(file, rows(500));
    const ran = await kv(["import", file, "-e", node.url]);
    expect(ran.exitCode).toBe(0);
    expect(ran.stdout.toString()).toMatch(/^imported 500, retried 0, refused 0, \d+ rows\/s\n$/);
    expect(new Set(writes(node).map(({ path }) => path)).size).toBe(500);
  });

  test("reads stdin, a row's own bucket wins over -b, and content headers are kept", async () => {
    await using node = await FakeNode.open(alive(() => WRITTEN));
    const stdin =
      '{"key":"a","value":"1"}\n{"bucket":"own","key64":"AP8","value64":"/w==","contentType":"a/b","contentEncoding":"gzip"}';
    await kv(["import", "-", "-b", "given", "-w", "all", "-e", node.url], { stdin });
    const [plain, bytes] = writes(node).toSorted((a, b) => (a.path < b.path ? -1 : 1));
    expect(plain?.path).toBe("/v1/kv64/given/YQ");
    expect(plain?.query.get("w")).toBe("all");
    expect(bytes?.path).toBe("/v1/kv64/own/AP8");
    expect(bytes?.body).toEqual(Buffer.from([255]));
    expect(bytes?.headers).toMatchObject({ "content-type": "a/b", "content-encoding": "gzip" });
  });

  test("refused rows are listed with their line, the rest is imported, the exit code is not 0", async () => {
    await using node = await FakeNode.open(
      alive(({ path }) => (path.endsWith("/YmFk") ? problem("value-too-large") : WRITTEN)),
    );
    await writeFile(
      file,
      '{"key":"a","value":""}\n\n{"key":"bad","value":""}\nnot json\n{"key":"b","value":""}\n',
    );
    const ran = await kv(["import", file, "-e", node.url]);
    expect(ran.exitCode).toBe(2);
    expect(ran.stdout.toString()).toMatch(/^imported 2, retried 0, refused 2, /);
    const listed = ran.stderr.split("\n").toSorted();
    expect(listed).toEqual([
      "",
      "kv: line 3: The value is too large: about value-too-large [value-too-large]",
      "kv: line 4: the line is not JSON",
    ]);
  });

  test("rows of one key are stored in the order of the file, however slow the first is", async () => {
    const kept: string[] = [];
    let first = true;
    await using node = await FakeNode.open(
      alive(({ body }) => {
        // The first attempt is lost, so its row would overtake the others without an order.
        if (first) {
          first = false;
          return "reset";
        }
        kept.push(body.toString());
        return WRITTEN;
      }),
    );
    const stdin = [1, 2, 3, 4].map((n) => `{"key":"same","value":"${n}"}`).join("\n");
    const ran = await kv(["import", "-", "-e", node.url], { stdin });
    expect(kept).toEqual(["1", "2", "3", "4"]);
    expect(ran.stdout.toString()).toMatch(/^imported 4, retried 1, refused 0/);
  });

  test("a row is tried again under its write id until the cluster takes it", async () => {
    let refusals = 6;
    await using node = await FakeNode.open(
      alive(() => (refusals-- > 0 ? problem("write-unknown") : WRITTEN)),
    );
    await writeFile(file, rows(1));
    const ran = await kv(["import", file, "-e", node.url, "-o", "json"]);
    expect(JSON.parse(ran.stdout.toString())).toMatchObject({
      imported: 1,
      retried: 1,
      refused: 0,
      complete: true,
    });
    expect(new Set(writes(node).map(({ headers }) => headers["kv-write-id"])).size).toBe(1);
    expect(writes(node)).toHaveLength(7);
  });

  test("no more rows are under way than --concurrency (3)", async () => {
    let underWay = 0;
    let most = 0;
    await using node = await FakeNode.open(
      alive(async () => {
        most = Math.max(most, ++underWay);
        await sleep(2);
        underWay -= 1;
        return WRITTEN;
      }),
    );
    await writeFile(file, rows(60));
    await kv(["import", file, "-e", node.url, "--concurrency", "3"]);
    expect(most).toBe(3);
    expect(writes(node)).toHaveLength(60);
  });

  test("nobody is there: exit code 8 at once, not after the patience of a row", async () => {
    await writeFile(file, rows(10));
    const begun = performance.now();
    const ran = await kv(["import", file, "-e", await FakeNode.closedUrl()]);
    expect(ran.exitCode).toBe(8);
    expect(performance.now() - begun).toBeLessThan(2_000);
  });

  test("when the last endpoint goes, the import stops and says that rows were not tried", async () => {
    await using node = await FakeNode.open(
      alive(() => {
        void node[Symbol.asyncDispose]();
        return WRITTEN;
      }),
    );
    await writeFile(file, rows(1_000));
    const argv = ["import", file, "-e", node.url, "--timeout", "300", "--concurrency", "2"];
    const ran = await kv(argv);
    expect(ran.exitCode).toBe(8);
    expect(ran.stderr).toContain("stopped before the end: No endpoint could be reached");
    expect(ran.stdout.toString()).toMatch(/^imported \d, retried 0, refused [1-4], /);
  });

  test("a signal stops it: exit code 130, and the tally so far", async () => {
    const control = new AbortController();
    let written = 0;
    await using node = await FakeNode.open(
      alive(() => {
        written += 1;
        if (written === 5) control.abort(new Interrupted("SIGINT"));
        return written < 5 ? WRITTEN : "hang";
      }),
    );
    await writeFile(file, rows(1_000));
    const argv = ["import", file, "-e", node.url, "--concurrency", "1"];
    const ran = await kv(argv, { signal: control.signal });
    expect(ran.exitCode).toBe(130);
    expect(ran.stdout.toString()).toMatch(/^imported 4, retried 0, refused 0, /);
    expect(ran.stderr).toContain("stopped before the end: interrupted (SIGINT)");
  });

  test("a terminal shows a bar on stderr, a pipe does not", async () => {
    await using node = await FakeNode.open(alive(() => WRITTEN));
    await writeFile(file, rows(5));
    const argv = ["import", file, "-e", node.url];
    expect((await kv(argv, { terminal: true })).stderr).toContain("rows/s");
    expect((await kv(argv)).stderr).toBe("");
  });

  test("a file that is not there: exit code 2", async () => {
    const ran = await kv(["import", "/no/such.jsonl"]);
    expect(ran.exitCode).toBe(2);
    expect(ran.stderr).toContain("cannot read '/no/such.jsonl'");
    const onFolder = await kv(["import", folder]);
    expect(onFolder.exitCode).toBe(2);
    expect(onFolder.stderr).toContain("it is a folder");
  });
});

describe("kv export", () => {
  test("what was imported comes back, in the order of the keys; missing keys are counted", async () => {
    await using node = await FakeNode.open(alive(keepsValues()));
    const env = { KV_ENDPOINTS: node.url };
    const content =
      rows(100) + '{"bucket":"own","key64":"AP8","value64":"/w==","contentType":"a/b"}\n';
    await writeFile(file, content);
    await kv(["import", file], { env });
    await kv(["del", "k50"], { env });
    const copy = join(folder, "copy.jsonl");
    const ran = await kv(["export", copy, "--keys", file, "-r", "all"], { env });
    expect(ran.exitCode).toBe(0);
    expect(ran.stderr).toMatch(/^kv: exported 100, missing 1, failed 0, \d+ rows\/s\n$/);
    expect(ran.stdout).toHaveLength(0);
    const expected = content.replace('{"key":"k50","value":"v50"}\n', "");
    expect(await readFile(copy, "utf8")).toBe(expected);
    const read = node.requests.findLast(
      ({ method, path }) => method === "GET" && path !== "/readyz",
    );
    expect(read?.query.get("r")).toBe("all");
  });

  test("exporting onto the list of keys itself loses nothing", async () => {
    await using node = await FakeNode.open(alive(keepsValues()));
    const env = { KV_ENDPOINTS: node.url };
    await writeFile(file, rows(50));
    await kv(["import", file], { env });
    await kv(["export", file, "--keys", file], { env });
    expect((await readFile(file, "utf8")).trimEnd().split("\n")).toHaveLength(50);
    expect(await readdir(folder)).toEqual(["rows.jsonl"]);
  });

  test("a key that cannot be read is listed, the others are exported, the exit code says why", async () => {
    await using node = await FakeNode.open(
      alive(({ path }) =>
        path.endsWith("/YmFk")
          ? problem("read-unavailable", { retry: "no" })
          : problem("key-not-found"),
      ),
    );
    const stdin = '{"key":"a"}\n{"key":"bad"}';
    const ran = await kv(["export", "-", "--keys", "-", "-e", node.url], { stdin });
    expect(ran.exitCode).toBe(5);
    expect(ran.stderr).toContain("kv: line 2: Too few replicas answered this read");
    expect(ran.stderr).toContain("exported 0, missing 1, failed 1,");
  });

  test("a key with siblings is listed: a row has one value", async () => {
    const item = { value: "YQ==", writeId: "w", lastModified: "2026-01-01T00:00:00.000Z" };
    await using node = await FakeNode.open(
      alive(() =>
        siblings("c1", [
          { ...item, version: "v2" },
          { ...item, version: "v1" },
        ]),
      ),
    );
    const ran = await kv(["export", "-", "--keys", "-", "-e", node.url], { stdin: '{"key":"a"}' });
    expect([ran.exitCode, ran.stdout.toString()]).toEqual([4, ""]);
    expect(ran.stderr).toContain("line 1: the key has 2 siblings: v2, v1");
  });

  test("interrupted: exit code 130, and no half file under the name", async () => {
    const control = new AbortController();
    await using node = await FakeNode.open(
      alive(() => {
        control.abort(new Interrupted("SIGINT"));
        return "hang";
      }),
    );
    await writeFile(file, rows(10));
    const argv = ["export", join(folder, "copy"), "--keys", file, "-e", node.url];
    expect((await kv(argv, { signal: control.signal })).exitCode).toBe(130);
    expect(await readdir(folder)).toEqual(["rows.jsonl"]);
  });

  test("--keys is asked for, and the help shows where keys come from", async () => {
    expect((await kv(["export", "-"])).exitCode).toBe(2);
    const { stdout } = await kv(["export", "--help"]);
    expect(stdout.toString()).toContain("kv ls -o jsonl | kv export");
  });
});
