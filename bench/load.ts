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
    p50: text(/50%\s+(\S+)/),
    p99: text(/99%\s+(\S+)/),
    errors: number(/Non-2xx or 3xx responses: (\d+)/) + sockets,
  };
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
