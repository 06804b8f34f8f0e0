import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeNode, found, keepsValues } from "../support/fake-node.ts";
import { KV, RealKv, kv, waitFor } from "../support/real-kv.ts";

const ROWS = 20_000;

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kv-pipes-"));
  const rows = Array.from({ length: ROWS }, (_, at) => `{"key":"k${at}","value":"v"}\n`);
  await writeFile(join(folder, "rows.jsonl"), rows.join(""));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What bash prints of a pipeline, and the exit codes of its parts. */
async function pipeline(line: string, url: string) {
  const script = `${line.replaceAll("kv ", `"${KV}" `)}; echo "codes \${PIPESTATUS[*]}" >&2`;
  const options = { command: "bash", cwd: folder, env: { KV_ENDPOINTS: url } };
  const { stdout, stderr } = await kv(["-c", script], options);
  return { stdout: stdout.toString(), stderr };
}

describe("a reader that goes away", () => {
  test("of an export of 20,000 rows: quiet, exit code 0, and the rest is not read", async () => {
    await using node = await FakeNode.open(() => found("x".repeat(1_000)));
    const ran = await pipeline("kv export - --keys rows.jsonl | head -1", node.url);
    expect(ran.stdout).toMatch(/^\{.*"key":"k0".*\}\n$/);
    expect(ran.stderr).toBe("codes 0 0\n");
    expect(node.requests.length).toBeLessThan(ROWS);
  });

  test.for([
    [["put", "k", "v"], 0],
    [["get", "nothing"], 3],
  ] as const)("of notes and errors only: the exit code of %j stays %i", async ([argv, code]) => {
    await using node = await FakeNode.open(keepsValues());
    const run = new RealKv(argv, { env: { KV_ENDPOINTS: node.url } });
    run.child.stderr.destroy();
    expect((await run.ended).exitCode).toBe(code);
  });
});

describe("SIGINT", () => {
  /** Interrupts the command when the node has got its first request. */
  async function interrupted(argv: readonly string[]) {
    await using node = await FakeNode.open(() => "hang");
    const run = new RealKv(argv, { cwd: folder, env: { KV_ENDPOINTS: node.url } });
    await waitFor("a request", () => (node.requests.length > 0 ? true : undefined));
    run.child.kill("SIGINT");
    return run.ended;
  }

  test("ends a request: exit code 130, one line, nothing on stdout", async () => {
    const { exitCode, stdout, stderr } = await interrupted(["get", "k", "--timeout", "60000"]);
    expect(exitCode).toBe(130);
    expect(stdout).toHaveLength(0);
    expect(stderr).toBe("kv: interrupted (SIGINT)\n");
  });

  test("ends an import: exit code 130, one line, not one for each row under way", async () => {
    const { exitCode, stderr } = await interrupted(["import", "rows.jsonl"]);
    expect(exitCode).toBe(130);
    expect(stderr).toBe("kv: interrupted (SIGINT)\n");
  });

  test("ends an export into a file: exit code 130, and no half file is left", async () => {
    const { exitCode, stderr } = await interrupted(["export", "copy", "--keys", "rows.jsonl"]);
    expect(exitCode).toBe(130);
    expect(stderr).toBe("kv: interrupted (SIGINT)\n");
    expect(await readdir(folder)).toEqual(["rows.jsonl"]);
  });

  test("ends kv status: exit code 130 and no verdict", async () => {
    const { exitCode, stdout } = await interrupted(["status", "--timeout", "60000"]);
    expect(exitCode).toBe(130);
    expect(stdout).toHaveLength(0);
  });
});
