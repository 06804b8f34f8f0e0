import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A contender: where the load goes, and what it has cost so far. */
export interface Contender {
  readonly url: string;
  /** CPU time of all its processes since they started, in seconds. */
  cpuSeconds(): Promise<number>;
  stop(): Promise<void>;
}

const NODE_FLAGS = ["--max-semi-space-size=32"];
const NODES = 3;
const READY_TRIES_MAX = 200;
const READY_POLL_MS = 100;

export async function startBareServer(): Promise<Contender> {
  const child = spawn(
    process.execPath,
    [...NODE_FLAGS, join(import.meta.dirname, "bare-server.js")],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const [port] = await once(createInterface(child.stdout), "line");
  const url = `http://127.0.0.1:${String(port)}`;
  return {
    url,
    cpuSeconds: async () => Number(await textOf(`${url}/cpu`)),
    stop: () => end(child),
  };
}

/** Three nodes as `npm start` runs them, in a directory of their own. */
export async function startCluster(firstPort: number): Promise<Contender> {
  const data = await mkdtemp(join(tmpdir(), "quorate-bench-"));
  const kv = join(import.meta.dirname, "..", "..", "kv");
  const child = spawn(
    kv,
    ["dev", "--nodes", String(NODES), "--port", String(firstPort), "--data", data],
    {
      stdio: ["ignore", "ignore", "inherit"],
    },
  );
  const urls = Array.from({ length: NODES }, (_, i) => `http://127.0.0.1:${firstPort + i}`);
  const stop = async (): Promise<void> => {
    await end(child);
    await rm(data, { recursive: true, force: true });
  };
  try {
    for (const url of urls) await ready(url, child);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: urls[0] ?? "",
    async cpuSeconds() {
      const scrapes = await Promise.all(urls.map((url) => textOf(`${url}/metrics`)));
      return scrapes.reduce((sum, text) => sum + metric(text, "process_cpu_seconds_total"), 0);
    },
    stop,
  };
}

async function ready(url: string, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < READY_TRIES_MAX; tries++) {
    if (child.exitCode !== null) throw new Error(`the cluster exited with ${child.exitCode}`);
    const response = await fetch(`${url}/readyz`).catch(() => undefined);
    if (response?.ok === true) return;
    await sleep(READY_POLL_MS);
  }
  throw new Error(`${url} is not ready`);
}

async function textOf(url: string): Promise<string> {
  return (await fetch(url)).text();
}

function metric(scrape: string, name: string): number {
  const line = scrape.split("\n").find((candidate) => candidate.startsWith(`${name} `));
  return Number(line?.split(" ")[1]);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "exit");
}
