import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { busyAddresses } from "../../../src/cli/dev/busy-addresses.ts";
import { DevDirectory } from "../../../src/cli/dev/dev-directory.ts";
import { DevLock } from "../../../src/cli/dev/lock.ts";
import { leftoverOf, planMembers, writeConfigs, writePid } from "../../../src/cli/dev/member.ts";
import { commandOf } from "../../../src/cli/dev/process-command.ts";
import { shellWord, typedPath } from "../../../src/cli/quoting.ts";
import { parseConfigFile, parseServeOptions } from "../../../src/cli/serve-options.ts";
import { kv } from "../../support/shell.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kv-test-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** The number of a process that has ended. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ["-e", ""]);
  await once(child, "exit");
  return child.pid ?? 0;
}

describe("the directory", () => {
  test("cluster id and secret are made once, and only the owner reads the secret", async () => {
    const directory = new DevDirectory(join(folder, "new"));
    await directory.create();
    const first = await directory.identity(5);
    const secret = await readFile(directory.secretFile, "utf8");
    expect(first).toMatchObject({
      nodes: 5,
      clusterId: expect.stringMatching(/^dev-[0-9a-f]{8}$/),
    });
    expect(await directory.identity(undefined)).toEqual(first);
    expect(await directory.identity(5)).toEqual(first);
    expect(await readFile(directory.secretFile, "utf8")).toBe(secret);
    expect(secret.length).toBeGreaterThan(40);
    expect((await stat(directory.secretFile)).mode & 0o777).toBe(0o600);
  });

  test("another number of nodes is refused with the reason: exit code 2", async () => {
    const directory = new DevDirectory(folder);
    expect((await directory.identity(undefined)).nodes).toBe(3);
    const ran = await kv(["dev", "--data", folder, "--nodes", "5"]);
    expect(ran.exitCode).toBe(2);
    expect(ran.stderr).toContain("has 3 nodes, not 5");
    expect(ran.stderr).toContain("The members of a cluster are fixed in this release");
  });

  test("a cluster.json of somebody else is left alone", async () => {
    await writeFile(join(folder, "cluster.json"), "{}");
    const ran = await kv(["dev", "--data", folder]);
    expect(ran.exitCode).toBe(2);
    expect(ran.stderr).toContain("cluster.json is not what kv dev wrote");
  });

  test("each member's file is a whole configuration, and never holds the secret itself", async () => {
    const directory = new DevDirectory(folder);
    const identity = await directory.identity(2);
    const members = planMembers(directory, { nodes: 2, port: 9000 });
    await writeConfigs(members, directory, identity);
    const text = await readFile(join(folder, "n2.json"), "utf8");
    const file = parseConfigFile(text, "n2.json");
    expect(parseServeOptions({ flags: new Map(), env: {}, file })).toMatchObject({
      id: "n2",
      listen: { host: "127.0.0.1", port: 9001 },
      peerListen: { host: "127.0.0.1", port: 9101 },
      clusterId: identity.clusterId,
      data: join(folder, "n2"),
      secretFile: join(folder, "secret"),
    });
    expect(text).not.toContain(await readFile(directory.secretFile, "utf8"));
  });
});

describe("the lock", () => {
  test("the second one is told who holds it; after release it is free", async () => {
    const file = join(folder, "dev.lock");
    const lock = await DevLock.acquire(file, "http://h:1");
    await expect(DevLock.acquire(file, "")).rejects.toMatchObject({
      code: "directory-in-use",
      message: expect.stringContaining(`process ${process.pid} and serves http://h:1`),
    });
    await lock.release();
    await (await DevLock.acquire(file, "")).release();
  });

  test("a crashed holder's lock is taken over, also when its number belongs to another by now", async () => {
    const file = join(folder, "dev.lock");
    const [command, serves] = ["node main.js dev", ""];
    for (const pid of [await deadPid(), process.pid]) {
      await writeFile(file, JSON.stringify({ pid, command, serves }));
      await (await DevLock.acquire(file, "")).release();
    }
    await writeFile(file, "half a lo");
    await (await DevLock.acquire(file, "")).release();
    await expect(stat(file)).rejects.toThrow("ENOENT");
  });

  test("of ten at once exactly one gets it", async () => {
    const file = join(folder, "dev.lock");
    const tries = await Promise.allSettled(
      Array.from({ length: 10 }, () => DevLock.acquire(file, "")),
    );
    expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });
});

describe("what an earlier run left", () => {
  test("a pid file is believed only if that process is that node", async () => {
    const [member] = planMembers(new DevDirectory(folder), { nodes: 1, port: 9000 });
    if (member === undefined) throw new Error("one member was planned");
    expect(await leftoverOf(member)).toBeUndefined();
    await writePid(member, await deadPid());
    expect(await leftoverOf(member)).toBeUndefined();
    await writePid(member, process.pid);
    expect(await leftoverOf(member)).toBeUndefined();
    await writeFile(member.pidFile, "not a number");
    expect(await leftoverOf(member)).toBeUndefined();
    const script = "setInterval(() => {}, 1000)";
    const child = spawn(process.execPath, ["-e", script, member.configFile]);
    await once(child, "spawn");
    await writePid(member, child.pid ?? 0);
    expect(await leftoverOf(member)).toBe(child.pid);
    child.kill();
    await once(child, "exit");
    expect(await leftoverOf(member)).toBeUndefined();
  });

  test("commandOf tells the command line of a live process and nothing of others", async () => {
    expect(commandOf(process.pid)).toContain("node");
    expect(commandOf(await deadPid())).toBeUndefined();
    for (const nonsense of [0, -1, Number.NaN, 1.5]) expect(commandOf(nonsense)).toBeUndefined();
  });

  test("a port on which somebody listens is named, and nothing is started: exit code 1", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const busy = { host: "127.0.0.1", port };
    expect(await busyAddresses([busy])).toEqual([busy]);
    const ran = await kv(["dev", "--data", folder, "--port", String(port), "--nodes", "1"]);
    expect(ran.exitCode).toBe(1);
    expect(ran.stderr).toContain(`127.0.0.1:${port}: another process listens there`);
    await expect(stat(join(folder, "dev.lock"))).rejects.toThrow("ENOENT");
    server.close();
    await once(server, "close");
    expect(await busyAddresses([busy])).toEqual([]);
  });
});

describe("what is printed can be pasted", () => {
  test("words are quoted for a shell only if they must be", () => {
    expect(shellWord("data/n1.json")).toBe("data/n1.json");
    expect(shellWord("a b")).toBe("'a b'");
    expect(shellWord("it's")).toBe(`'it'\\''s'`);
    expect(shellWord("")).toBe("''");
  });

  test("paths are short below the current folder and absolute elsewhere", () => {
    expect(typedPath("/a/b/c", "/a")).toBe("b/c");
    expect(typedPath("/a/b", "/a/x")).toBe("/a/b");
  });
});

test.for([
  [["--port", "70000"], "At most 65535"],
  [["--port", "65500"], "leaves no room for the peer ports"],
  [["--nodes", "51"], "At most 50"],
  [["--nodes", "0"], "whole number from 1"],
] as const)("kv dev %j is a usage error", async ([flags, message]) => {
  const ran = await kv(["dev", "--data", join(folder, "x"), ...flags]);
  expect(ran.exitCode).toBe(2);
  expect(ran.stderr).toContain(message);
});
