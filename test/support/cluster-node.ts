import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

const MAIN = join(import.meta.dirname, "../../dist/src/cli/main.js");
const READY_TIMEOUT_MS = 30_000;
/** Longer than a node drains. */
const STOP_TIMEOUT_MS = 15_000;
const POLL_MS = 25;
const LOG_TAIL = 4_000;

/** Marks a node's processes as this process's own; {@link sweepLeftovers} ends those of a dead one. */
export const OWNER_VARIABLE = "QUORATE_TEST_OWNER";

/** Process groups that this process must not leave behind, however it ends. */
const groups = new Set<number>();
process.on("exit", () => {
  for (const group of groups) signalGroup(group, "SIGKILL");
});

export interface ClusterNodeOptions {
  readonly id: string;
  readonly url: string;
  /** What follows `kv serve`. */
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Command before `node`, e.g. `["faketime", "+60s"]`. */
  readonly wrap: readonly string[];
  /** Flags of `node` itself. */
  readonly execArgv: readonly string[];
  readonly logFile: string;
}

/** What one start may change. */
export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Command before `node`, instead of the one that every start has. */
  readonly wrap?: readonly string[];
}

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One node in a process group of its own, which outlives its process: it can be started again. */
export class ClusterNode {
  readonly id: string;
  readonly url: string;
  readonly #options: ClusterNodeOptions;
  #child: ChildProcess | undefined;
  #ended: Promise<Ending> = Promise.resolve({ code: null, signal: null });

  constructor(options: ClusterNodeOptions) {
    if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: npm run setup`);
    this.id = options.id;
    this.url = options.url;
    this.#options = options;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.id} was never started`);
    return pid;
  }

  get running(): boolean {
    const child = this.#child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** Resolves when the process that was started last has ended. */
  ended(): Promise<Ending> {
    return this.#ended;
  }

  start({ env = {}, wrap = this.#options.wrap }: StartOptions = {}): void {
    const { execArgv, flags, logFile } = this.#options;
    const [command = process.execPath, ...args] = [
      ...wrap,
      process.execPath,
      ...execArgv,
      MAIN,
      "serve",
      ...flags,
    ];
    const log = openSync(logFile, "a");
    // The channel says nothing: a node stops by itself when the process at its other end is gone.
    const child = spawn(command, args, {
      detached: true,
      stdio: ["ignore", log, log, "ipc"],
      env: {
        ...withoutOptions(process.env),
        [OWNER_VARIABLE]: String(process.pid),
        ...this.#options.env,
        ...env,
      },
    });
    closeSync(log);
    this.#child = child;
    const group = child.pid;
    if (group !== undefined) groups.add(group);
    this.#ended = new Promise((resolve) => {
      child.once("error", () => resolve({ code: null, signal: null }));
      child.once("exit", (code, signal) => {
        if (group !== undefined) groups.delete(group);
        resolve({ code, signal });
      });
    });
  }

  /** To the whole group: a wrapper may stand before the node. */
  signal(signal: NodeJS.Signals): void {
    if (this.running) signalGroup(this.pid, signal);
  }

  /** SIGKILL, and waits for the end. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.#ended;
  }

  pause(): void {
    this.signal("SIGSTOP");
  }

  resume(): void {
    this.signal("SIGCONT");
  }

  /** SIGTERM, then SIGKILL. @returns how it ended. */
  async stop(): Promise<Ending> {
    this.resume();
    this.signal("SIGTERM");
    const timer = new AbortController();
    const late = sleep(STOP_TIMEOUT_MS, undefined, { signal: timer.signal }).catch(() => undefined);
    await Promise.race([this.#ended, late]);
    timer.abort();
    await this.kill();
    return this.#ended;
  }

  /** Stops what still runs, starts anew on the same directory and ports, waits until it is ready. */
  async restart(options: StartOptions = {}): Promise<void> {
    // One that was killed a moment ago still has to end; one that runs is asked to.
    await this.stop();
    this.start(options);
    await this.waitReady();
  }

  /** Polls /readyz. */
  async waitReady(timeoutMs = READY_TIMEOUT_MS): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!(await answersReady(this.url))) {
      if (!this.running)
        throw new Error(`${this.id} ended before it was ready\n${this.#logTail()}`);
      if (performance.now() > deadline) {
        throw new Error(`${this.id} is not ready after ${timeoutMs} ms\n${this.#logTail()}`);
      }
      await sleep(POLL_MS);
    }
  }

  /** Everything that its processes have written so far. */
  log(): string {
    return existsSync(this.#options.logFile) ? readFileSync(this.#options.logFile, "utf8") : "";
  }

  #logTail(): string {
    return this.log().slice(-LOG_TAIL);
  }
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // It has ended already.
  }
}

async function answersReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(1_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/** A KV_ variable of the developer's shell must not change what is tested. */
function withoutOptions(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("KV_")));
}
