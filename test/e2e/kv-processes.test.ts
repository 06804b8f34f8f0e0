import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { commandOf } from "../../src/cli/dev/process-command.ts";
import { startCluster } from "../support/cluster.ts";
import { freePorts } from "../support/free-ports.ts";
import { needs } from "../support/needs.ts";
import { RealKv, kv, waitFor } from "../support/real-kv.ts";

const ROOT = join(import.meta.dirname, "../..");
const MAIN = join(ROOT, "dist/src/cli/main.js");

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "quorate-kv-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("kv serve", () => {
  test("SIGTERM and SIGINT each end it with exit code 0 after a clean stop", async () => {
    await using cluster = await startCluster({ nodes: 2 });
    const [n1, n2] = Object.values(cluster.nodes);
    n1?.signal("SIGTERM");
    n2?.signal("SIGINT");
    expect(await n1?.ended()).toEqual({ code: 0, signal: null });
    expect(await n2?.ended()).toEqual({ code: 0, signal: null });
    expect(n1?.log()).toContain("node has stopped");
  });

  test("a second signal ends it at once with exit code 130, while a request still holds it", async () => {
    await using cluster = await startCluster({ nodes: 1 });
    const [n1] = Object.values(cluster.nodes);
    const socket = connect(Number(new URL(n1?.url ?? "").port), "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write("PUT /v1/kv/default/k HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n");
    await once(socket, "connect");
    n1?.signal("SIGTERM");
    await waitFor("the drain", () => n1?.log().includes("draining") || undefined);
    n1?.signal("SIGTERM");
    expect(await n1?.ended()).toEqual({ code: 130, signal: null });
    socket.destroy();
  });

  test("it stops by itself when the process that watches it is gone", async () => {
    const [port, peerPort] = await freePorts(2);
    const argv = ["serve", "--id", "n1", "--listen", `127.0.0.1:${port}`, "--data", folder];
    argv.push("--peer-listen", `127.0.0.1:${peerPort}`, "--peers", `n1=127.0.0.1:${peerPort}`);
    const script = `
      const child = require("node:child_process").spawn(process.execPath, ${JSON.stringify([MAIN, ...argv])},
        { detached: true, stdio: ["ignore", "ignore", "inherit", "ipc"] });
      console.log(child.pid);`;
    const watcher = spawn(process.execPath, ["-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(watcher.stdout, "data")) as [Buffer];
    const pid = Number(line.toString());
    await waitFor("the node", () =>
      fetch(`http://127.0.0.1:${port}/readyz`).then(
        ({ ok }) => ok || undefined,
        () => undefined,
      ),
    );
    watcher.kill("SIGKILL");
    try {
      await waitFor("the node's end", () => (commandOf(pid) === undefined ? true : undefined));
      expect(commandOf(pid)).toBeUndefined();
    } finally {
      killIfStill(pid, folder);
    }
  });

  test("a data directory in use: exit code 1, and the directory is named", async () => {
    await using cluster = await startCluster({ nodes: 1 });
    const [port, peerPort] = await freePorts(2);
    const peer = `127.0.0.1:${peerPort}`;
    const flags = ["--id", "n1", "--listen", `127.0.0.1:${port}`, "--peer-listen", peer];
    const data = join(cluster.folder, "n1");
    const ran = await kv(["serve", ...flags, "--peers", `n1=${peer}`, "--data", data]);
    expect(ran).toMatchObject({ exitCode: 1 });
    expect(ran.stderr).toContain("[directory-in-use]");
  });
});

describe.skipIf(!needs("curl"))("kv dev", () => {
  let port = 0;
  let dev: RealKv;
  /** Processes of the first run, which a failed test must not leave behind. */
  let nodes: readonly number[] = [];
  const start = (...flags: string[]) =>
    new RealKv(["dev", "--port", String(port), "--data", "data", ...flags], { cwd: folder });
  const pidOf = async (id: string) =>
    Number(await readFile(join(folder, "data", `${id}.pid`), "utf8"));
  const sh = (command: string) =>
    spawnSync("sh", ["-c", command], { cwd: folder, encoding: "utf8" });
  const url = (index: number) => `http://127.0.0.1:${port + index}`;
  const isServing = (index: number) =>
    fetch(`${url(index)}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );

  beforeEach(async () => {
    // Client ports and peer ports, 100 above, must both be free.
    port = await waitFor("two free ranges", async () => {
      const [first = 0] = await freePorts(1);
      const sockets = await Promise.all([0, 1, 2, 100, 101, 102].map((n) => isOpen(first + n)));
      return sockets.includes(true) ? undefined : first;
    });
    dev = start();
    await dev.shows(/is ready/);
    nodes = await Promise.all(["n1", "n2", "n3"].map(pidOf));
  });
  afterEach(async () => {
    dev.child.kill("SIGTERM");
    await dev.ended;
    for (const pid of nodes) killIfStill(pid, folder);
  });

  test("the curl lines that it prints work as they are printed", () => {
    const lines = dev.stdout.split("\n").filter((line) => line.trim().startsWith("curl"));
    expect(lines).toHaveLength(3);
    const [put, get, getElsewhere] = lines.map((line) => sh(line.replace("curl ", "curl -sS ")));
    expect(put?.status).toBe(0);
    expect(get?.stdout).toBe("hello\n");
    expect(getElsewhere?.stdout).toBe("hello\n");
    const status = sh(dev.stdout.split("\n").find((line) => line.includes(" status ")) ?? "false");
    expect(status).toMatchObject({ status: 0 });
  });

  test("the secret stands in its file and nowhere else: not in output, logs or command lines", async () => {
    const secret = await readFile(join(folder, "data", "secret"), "utf8");
    expect(dev.stdout + dev.stderr).not.toContain(secret);
    for (const id of ["n1", "n2", "n3"]) {
      expect(commandOf(await pidOf(id))).not.toContain(secret);
      expect(await readFile(join(folder, "data", `${id}.log`), "utf8")).not.toContain(secret);
    }
  });

  test("a second one on the same folder is refused and harms nothing", async () => {
    const second = await start().ended;
    expect(second.exitCode).toBe(1);
    expect(second.stderr).toContain(`kv dev runs here already as process`);
    expect(second.stderr).toContain(url(0));
    expect(await Promise.all([0, 1, 2].map(isServing))).toEqual([true, true, true]);
  });

  test("on another folder with the same ports it names the ports and starts nothing", async () => {
    const second = await start("--data", "other").ended;
    expect(second.exitCode).toBe(1);
    expect(second.stderr).toContain(`127.0.0.1:${port}`);
    expect(existsSync(join(folder, "other", "n1.pid"))).toBe(false);
  });

  test("a killed node is reported, the others serve, and the printed command starts it again", async () => {
    process.kill(await pidOf("n2"), "SIGKILL");
    const [, command = ""] = await dev.shows(/n2 was ended by SIGKILL[^]*terminal: (.*)/);
    expect(await isServing(0)).toBe(true);
    expect(await kv(["put", "k", "v", "-e", url(0)])).toMatchObject({ exitCode: 0 });
    expect(existsSync(join(folder, "data", "n2.pid"))).toBe(false);
    const again = new RealKv(["-c", `exec ${command}`], { command: "sh", cwd: folder });
    await waitFor("n2", async () => (await isServing(1)) || undefined);
    expect((await kv(["get", "k", "-e", url(1)])).stdout.toString()).toBe("v");
    again.child.kill("SIGTERM");
    expect((await again.ended).exitCode).toBe(0);
  });

  test("Ctrl-C stops all nodes, a paused one too, and leaves no pid file or lock", async () => {
    process.kill(await pidOf("n3"), "SIGSTOP");
    dev.child.kill("SIGINT");
    const { exitCode, stderr } = await dev.ended;
    expect(exitCode).toBe(0);
    expect(stderr).toContain("n3 did not stop in time: killed");
    expect(nodes.map(commandOf)).toEqual([undefined, undefined, undefined]);
    for (const file of ["dev.lock", "n1.pid", "n2.pid", "n3.pid"]) {
      expect(existsSync(join(folder, "data", file))).toBe(false);
    }
  });

  test("after a crash its nodes stop by themselves, and the next run finds the data again", async () => {
    await kv(["put", "kept", "v", "-e", url(0)]);
    const slow = await pidOf("n3");
    process.kill(slow, "SIGSTOP");
    dev.child.kill("SIGKILL");
    await dev.ended;
    expect(existsSync(join(folder, "data", "dev.lock"))).toBe(true);
    dev = start();
    await dev.shows(new RegExp(`waiting for n3 of an earlier run, process ${slow}, to stop`));
    process.kill(slow, "SIGCONT");
    await dev.shows(/is ready/);
    expect((await kv(["get", "kept", "-e", url(2)])).stdout.toString()).toBe("v");
  });

  test("when no node is left it ends: exit code 1", async () => {
    for (const id of ["n1", "n2", "n3"]) process.kill(await pidOf(id), "SIGKILL");
    const { exitCode, stderr } = await dev.ended;
    expect(exitCode).toBe(1);
    expect(stderr).toContain("no node is left");
  });
});

function killIfStill(pid: number, mark: string): void {
  if (commandOf(pid)?.includes(mark) === true) process.kill(pid, "SIGKILL");
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
