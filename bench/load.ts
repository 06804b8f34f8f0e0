import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";

export interface LoadResult {
  readonly requests: number;
  readonly perSecond: number;
  readonly p50: string;
  readonly p99: string;
  /** Answers other than 2xx, and socket errors. */
  readonly errors: number;
}

const CONNECTIONS = 64;
const KEYS = 10_000;

export function hasWrk(): boolean {
  return spawnSync("wrk", ["-v"]).error === undefined;
}

/** Drives `url` with one wrk thread over 64 connections. */
export async function drive(
  url: string,
  script: "get" | "put",
  seconds: number,
): Promise<LoadResult> {
  const lua = join(import.meta.dirname, "..", "..", "bench", "wrk", `${script}.lua`);
  const args = ["-t1", `-c${CONNECTIONS}`, `-d${seconds}`, "--latency", "-s", lua, url];
  const output = await run("wrk", args);
  const number = (pattern: RegExp): number => Number(pattern.exec(output)?.[1] ?? 0);
  const text = (pattern: RegExp): string => pattern.exec(output)?.[1] ?? "–";
  const socketErrors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(
    output,
  );
  const sockets = (socketErrors ?? []).slice(1).reduce((sum, count) => sum + Number(count), 0);
  return {
    requests: number(/(\d+) requests in/),
    perSecond: number(/Requests\/sec:\s+([\d.]+)/),
    p50: text(/^\s+50%\s+(\S+)/m),
    p99: text(/^\s+99%\s+(\S+)/m),
    errors: number(/Non-2xx or 3xx responses: (\d+)/) + sockets,
  };
}

/** Stores every key that the wrk scripts use once. */
export async function fill(url: string): Promise<void> {
  let next = 1;
  const worker = async (): Promise<void> => {
    while (next <= KEYS) {
      const key = `key${next}`;
      next += 1;
      const response = await fetch(`${url}/v1/kv/default/${key}`, {
        method: "PUT",
        body: "x".repeat(100),
      });
      if (!response.ok) throw new Error(`PUT ${key}: ${response.status}`);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
}

function run(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += String(chunk)));
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0 ? resolve(output) : reject(new Error(`${command} exited with ${code}`)),
    );
  });
}
