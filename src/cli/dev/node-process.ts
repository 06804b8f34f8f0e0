import { spawn } from "node:child_process";
import type { ChildProcess, StdioOptions } from "node:child_process";
import { open, readFile } from "node:fs/promises";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { OPTION_NAMES, variableOf } from "../../core/config.ts";
import { removePid, writePid } from "./member.ts";
import type { Member } from "./member.ts";

const LAST_LINES = 5;

/** How a node's process ended, in words. */
export type Ending = string;

/** A node in a process of its own. It stops by itself when this process is gone. */
export class NodeProcess {
  readonly member: Member;
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;
  readonly #logBegin: number;
  #running = true;

  private constructor(member: Member, child: ChildProcess, logBegin: number) {
    this.member = member;
    this.#child = child;
    this.#logBegin = logBegin;
    this.ended = endingOf(child).then(async (ending) => {
      this.#running = false;
      await removePid(member);
      return ending;
    });
  }

  static async start(
    member: Member,
    { mainFile, verbose }: { mainFile: string; verbose: boolean },
  ): Promise<NodeProcess> {
    const log = await open(member.logFile, "a");
    try {
      const { size } = await log.stat();
      const out = verbose ? 2 : log.fd;
      // The channel carries no message: its end tells the child that nobody watches it any more.
      const stdio: StdioOptions = ["ignore", out, out, "ipc"];
      // Detached, so that Ctrl-C reaches the nodes once, from us, and not also from the terminal.
      const child = spawn(
        process.execPath,
        [...process.execArgv, mainFile, "serve", "--config", member.configFile],
        {
          stdio,
          detached: true,
          env: environment(),
        },
      );
      const node = new NodeProcess(member, child, size);
      if (child.pid !== undefined) await writePid(member, child.pid);
      return node;
    } finally {
      await log.close();
    }
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#running;
  }

  /** @returns false when it had to be killed. */
  async stop(timeoutMs: number): Promise<boolean> {
    if (!this.#running) return true;
    this.#child.kill("SIGTERM");
    const timer = new AbortController();
    const inTime = await Promise.race([
      this.ended.then(() => true),
      sleep(timeoutMs, false, { signal: timer.signal }).catch(() => false),
    ]);
    timer.abort();
    if (!inTime) this.#child.kill("SIGKILL");
    await this.ended;
    return inTime;
  }

  /** What it logged last, since it was started. */
  async lastLines(): Promise<readonly string[]> {
    const log = await readFile(this.member.logFile).catch(() => Buffer.alloc(0));
    const lines = log.subarray(this.#logBegin).toString("utf8").trimEnd().split("\n");
    return lines.slice(-LAST_LINES).filter((line) => line !== "");
  }
}

/** Variables must not overrule the member's own file; but `KV_LOG_LEVEL=debug kv dev` shall work. */
function environment(): Record<string, string | undefined> {
  const own = new Set([
    "id",
    "listen",
    "peerListen",
    "peers",
    "data",
    "clusterId",
    "secret",
    "secretFile",
  ]);
  const dropped = OPTION_NAMES.filter((name) => own.has(name)).map(variableOf);
  const kept = Object.entries(process.env).filter(([name]) => !dropped.includes(name));
  return Object.fromEntries(kept);
}

function endingOf(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(`could not be started: ${error.message}`));
    child.once("exit", (code, signal) =>
      resolve(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`),
    );
  });
}
