import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

export const KV = join(import.meta.dirname, "../../kv");
const WAIT_TIMEOUT_MS = 60_000;
const POLL_MS = 25;

export interface Ended {
  readonly exitCode: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

interface StartOptions {
  readonly stdin?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Default: the launcher `./kv`. */
  readonly command?: string;
}

const running = new Set<ChildProcessWithoutNullStreams>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A `kv` of its own process, whose output grows while it runs. */
export class RealKv {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;
  #stdout: Buffer[] = [];
  #stderr = "";

  constructor(argv: readonly string[], options: StartOptions = {}) {
    const { stdin = "", env = {}, cwd, command = KV } = options;
    const clean = Object.entries(process.env).filter(([name]) => !name.startsWith("KV_"));
    // Nor do the profiles of whoever runs the tests count.
    this.child = spawn(command, argv, {
      cwd,
      env: { ...Object.fromEntries(clean), XDG_CONFIG_HOME: "/nowhere", ...env },
    });
    running.add(this.child);
    this.child.stdout.on("data", (chunk: Buffer) => this.#stdout.push(chunk));
    this.child.stderr.on("data", (chunk: Buffer) => (this.#stderr += chunk.toString()));
    // It may have ended, or refuse its arguments, before it reads.
    this.child.stdin.on("error", () => undefined);
    this.child.stdin.end(stdin);
    this.ended = new Promise((resolve, reject) => {
      // Could not be started, e.g. because there is no such file: then nothing is ever closed.
      this.child.once("error", reject);
      this.child.once("close", (exitCode) => {
        running.delete(this.child);
        resolve({ exitCode, stdout: Buffer.concat(this.#stdout), stderr: this.#stderr });
      });
    });
  }

  get stdout(): string {
    return Buffer.concat(this.#stdout).toString();
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Waits until either stream shows it. */
  async shows(pattern: RegExp): Promise<RegExpExecArray> {
    return waitFor(`${String(pattern)} in the output`, () => {
      const match = pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
      if (match === null && this.child.exitCode !== null) {
        throw new Error(`kv ended without ${String(pattern)}:\n${this.stdout}${this.stderr}`);
      }
      return match ?? undefined;
    });
  }
}

export function kv(argv: readonly string[], options: StartOptions = {}): Promise<Ended> {
  return new RealKv(argv, options).ended;
}

/** Polls a condition within a bound. */
export async function waitFor<T>(
  what: string,
  poll: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const deadline = performance.now() + WAIT_TIMEOUT_MS;
  for (;;) {
    const value = await poll();
    if (value !== undefined) return value;
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await sleep(POLL_MS);
  }
}
