import { setMaxListeners } from "node:events";
import { PassThrough } from "node:stream";
import { run } from "../../src/cli/program.ts";
import type { Shell } from "../../src/cli/shell.ts";

export interface Ran {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface RunOptions {
  readonly stdin?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  /** stdout and stderr are a terminal. */
  readonly terminal?: boolean;
  readonly signal?: AbortSignal;
}

/** Runs `kv …` inside the test's process, with streams of its own. */
export async function kv(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { stdin = "", env = {}, terminal = false, signal } = options;
  const [input, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  input.end(stdin);
  const ownSignal = signal ?? new AbortController().signal;
  setMaxListeners(0, ownSignal);
  const shell = {
    ...idleShell(),
    stdin: input,
    stdout: Object.assign(stdout, { isTTY: terminal }),
    stderr: Object.assign(stderr, { isTTY: terminal }),
    env,
    signal: ownSignal,
  };
  const [out, err] = [collect(stdout), collect(stderr)];
  const exitCode = await run(argv, shell);
  stdout.end();
  stderr.end();
  return { exitCode, stdout: await out, stderr: (await err).toString() };
}

/** For a program whose commands are looked at, not run. */
export function idleShell(): Shell {
  return {
    stdin: new PassThrough(),
    stdout: new PassThrough(),
    stderr: new PassThrough(),
    env: {},
    signal: new AbortController().signal,
    mainFile: "/nowhere/main.js",
  };
}

async function collect(stream: PassThrough): Promise<Buffer> {
  return Buffer.concat(await stream.toArray());
}
