import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { wantsColors } from "../../../src/cli/colors.ts";
import { EXIT, Interrupted } from "../../../src/cli/exit-code.ts";
import { statusOf } from "../../support/cluster-status.ts";
import { FakeNode, keepsValues, problem } from "../../support/fake-node.ts";
import type { Behaviour } from "../../support/fake-node.ts";
import { kv } from "../../support/shell.ts";
import type { RunOptions } from "../../support/shell.ts";

describe("colours", () => {
  test.for([
    [{ terminal: true }, true],
    [{ terminal: false }, false],
    [{ terminal: true, flag: false }, false],
    [{ terminal: true, env: { NO_COLOR: "1" } }, false],
    [{ terminal: true, env: { NO_COLOR: "" } }, true],
    [{ terminal: true, env: { TERM: "dumb" } }, false],
    [{ terminal: true, env: { TERM: "xterm" } }, true],
    [{ terminal: false, env: { FORCE_COLOR: "1" } }, true],
    [{ terminal: false, env: { FORCE_COLOR: "" } }, true],
    [{ terminal: true, env: { FORCE_COLOR: "0" } }, false],
    [{ terminal: true, env: { FORCE_COLOR: "false" } }, false],
    [{ terminal: true, env: { FORCE_COLOR: "1", TERM: "dumb" } }, true],
    [{ terminal: true, env: { FORCE_COLOR: "1", NO_COLOR: "1" } }, false],
    [{ terminal: true, flag: false, env: { FORCE_COLOR: "1" } }, false],
  ] as const)("%j: %s", ([{ terminal, ...given }, expected]) => {
    expect(wantsColors({ flag: true, env: {}, ...given, terminal })).toBe(expected);
  });

  test("data and errors of a real command follow them", async () => {
    const painted = async (options: RunOptions, ...flags: readonly string[]) => {
      const { stdout, stderr } = await kv(["profile", "ls", ...flags], options);
      const told = await kv(["get", "k", "-e", "ftp://x", ...flags], options);
      return `${stdout.toString()}${stderr}${told.stderr}`.split("\u001b[").length - 1;
    };
    const env = { XDG_CONFIG_HOME: "/nowhere" };
    expect(await painted({ env })).toBe(0);
    expect(await painted({ env, terminal: true })).toBe(4);
    expect(await painted({ env: { ...env, FORCE_COLOR: "1" } })).toBe(4);
    expect(await painted({ env, terminal: true }, "--no-color")).toBe(0);
  });
});

const readOnly: Behaviour = ({ path }) => ({
  status: 200,
  body: path === "/readyz" ? "" : JSON.stringify(statusOf("n1", { state: "read-only" })),
});

/** Each exit code as a real command line brings it about. */
const CASES: Readonly<
  Record<keyof typeof EXIT, { argv: readonly string[]; node?: Behaviour; options?: RunOptions }>
> = {
  ok: { argv: ["put", "k", "v"] },
  internal: { argv: ["get", "k"], node: () => ({ status: 200, body: "no node's answer" }) },
  usage: { argv: ["get"] },
  notFound: { argv: ["get", "k"] },
  conflict: { argv: ["put", "k", "v"], node: () => problem("context-required") },
  unavailable: {
    argv: ["put", "k", "v"],
    node: () => problem("write-unavailable", { retry: "no" }),
  },
  unknown: { argv: ["put", "k", "v"], node: () => problem("write-unknown", { retry: "no" }) },
  forbidden: { argv: ["get", "k"], node: () => ({ status: 401, body: "who are you?" }) },
  unreachable: { argv: ["get", "k", "-e", "http://127.0.0.1:9"] },
  checkFailed: { argv: ["status"], node: readOnly },
  interrupted: {
    argv: ["get", "k"],
    node: () => "hang",
    options: { signal: AbortSignal.abort(new Interrupted("SIGINT")) },
  },
};

describe("the exit code", () => {
  test.for(Object.entries(CASES))("%s", async ([name, { argv, node, options }]) => {
    await using served = await FakeNode.open(node ?? keepsValues());
    const env = { KV_ENDPOINTS: served.url, ...options?.env };
    const ran = await kv(argv, { ...options, env });
    expect(ran.exitCode).toBe(EXIT[name as keyof typeof EXIT]);
    expect(ran.stdout.toString() + ran.stderr).not.toBe("");
  });
});

describe("every command that says something has a form for programs", () => {
  const told = async (argv: readonly string[]) => {
    await using node = await FakeNode.open(({ method }) =>
      method === "DELETE" ? { status: 204 } : problem("key-not-found"),
    );
    const { stdout } = await kv(argv, { env: { KV_ENDPOINTS: node.url } });
    return stdout.toString();
  };

  test("kv bucket rm", async () => {
    const lines = await told(["bucket", "rm", "old", "--yes", "-o", "jsonl"]);
    expect(lines).toBe('{"name":"old","removed":true}\n');
    expect(await told(["bucket", "rm", "old", "--yes"])).toBe("");
  });

  test("kv export into a file; onto stdout there are rows and nothing else", async () => {
    const folder = await mkdtemp(join(tmpdir(), "kv-output-"));
    const keys = join(folder, "keys");
    const copy = join(folder, "copy");
    await writeFile(keys, '{"key":"a"}\n{"key":"b"}\n');
    const json = await told(["export", copy, "--keys", keys, "-o", "jsonl"]);
    expect(json).toBe('{"exported":0,"missing":2,"failed":0}\n');
    expect(await readFile(copy, "utf8")).toBe("");
    expect(await told(["export", "-", "--keys", keys, "-o", "jsonl"])).toBe("");
    await rm(folder, { recursive: true });
  });
});
