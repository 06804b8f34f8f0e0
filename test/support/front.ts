import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const ROOT = join(import.meta.dirname, "..", "..");
const PORT_TRIES_MAX = 3;
const POLL_MS = 10;
const POLLS_MAX = 1_000;

export interface FrontOptions {
  /** Client addresses of kv1, kv2 and kv3, each `host:port`. */
  readonly upstreams: readonly [string, string, string];
  /** Instead of the file's 2,500 ms, so that a test of a hung node is short. */
  readonly readTimeoutMs?: number;
  /** Instead of the file's 31 s for requests with a long `?timeout=`. */
  readonly longReadTimeoutMs?: number;
}

/** A text that must stand in the file as often as is said, and what an operator would write instead. */
export type Edit = readonly [text: string, times: number, replacement: string];

/** A program that stands in front of the nodes, with the project's own configuration of it. */
export interface FrontProgram {
  readonly name: string;
  readonly program: string;
  /** Its configuration, from the top of the project. */
  readonly conf: string;
  readonly edits: (port: number, options: FrontOptions) => readonly Edit[];
  /** Runs the edited file, which has the same name in `directory`. */
  readonly args: (directory: string, conf: string) => readonly string[];
  /** Where it writes a line a request, below `directory`; undefined: to stdout. */
  readonly accessLog?: string;
}

/** One line of the access log. */
type AccessLogEntry = Readonly<Record<string, string | number>>;

export interface Front {
  readonly url: string;
  readonly port: number;
  /** A line is written after the client has its answer, so this waits for `count` of them. */
  accessLog(count: number): Promise<readonly AccessLogEntry[]>;
  stop(): Promise<void>;
}

/**
 * Runs the real program with the project's own configuration, in a directory of its own.
 * @throws with the program's own words if it does not start.
 */
export async function startFront(program: FrontProgram, options: FrontOptions): Promise<Front> {
  for (let portTry = 1; ; portTry += 1) {
    try {
      return await startOn(await freePort(), program, options);
    } catch (error) {
      // Another process may take the port between our look and the program's bind.
      const taken = error instanceof Error && /already in use/i.test(error.message);
      if (!taken || portTry === PORT_TRIES_MAX) throw error;
    }
  }
}

async function startOn(
  port: number,
  { name, program, conf, edits, args, accessLog }: FrontProgram,
  options: FrontOptions,
): Promise<Front> {
  const edited = edits(port, options).reduce(applyEdit, await readFile(join(ROOT, conf), "utf8"));
  const directory = await mkdtemp(join(tmpdir(), "quorate-front-"));
  await chmod(directory, 0o755); // workers of a root master run as nobody and keep bodies here
  await writeFile(join(directory, "front.conf"), edited);
  const child = spawn(program, args(directory, "front.conf"), {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let ended = false;
  let lines = "";
  let words = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (lines += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (words += text));
  const exit = Promise.race([once(child, "close"), once(child, "error")]).then(
    () => (ended = true),
    (error: unknown) => {
      ended = true;
      words += String(error);
    },
  );
  const stop = async (): Promise<void> => {
    if (!ended) child.kill("SIGTERM");
    await exit;
    await rm(directory, { recursive: true, force: true });
  };

  const url = `http://127.0.0.1:${port}`;
  const listening = await until(async () => ended || (await answers(`${url}/healthz`)));
  if (ended || !listening) {
    await stop();
    throw new Error(`${name} did not start: ${words}`);
  }
  const logged = async (): Promise<string> =>
    accessLog === undefined ? lines : readFile(join(directory, accessLog), "utf8");
  return {
    url,
    port,
    stop,
    accessLog: async (count) => {
      let entries: readonly AccessLogEntry[] = [];
      const complete = await until(async () => {
        entries = parseLog(await logged());
        return entries.length >= count;
      });
      if (!complete) throw new Error(`the access log has ${entries.length} lines, not ${count}`);
      return entries;
    },
  };
}

function applyEdit(conf: string, [text, times, replacement]: Edit): string {
  const parts = conf.split(text);
  if (parts.length !== times + 1) {
    throw new Error(`the file has '${text}' ${parts.length - 1} times instead of ${times}`);
  }
  return parts.join(replacement);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("a TCP socket has a port");
  return address.port;
}

/** Of the lines that are an object: HAProxy also tells of servers that go up and down. */
function parseLog(text: string): readonly AccessLogEntry[] {
  return text
    .split("\n")
    .slice(0, -1)
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as AccessLogEntry);
}

async function until(condition: () => Promise<boolean>): Promise<boolean> {
  for (let poll = 0; poll < POLLS_MAX; poll += 1) {
    if (await condition()) return true;
    await sleep(POLL_MS);
  }
  return false;
}

async function answers(url: string): Promise<boolean> {
  return fetch(url, { headers: { connection: "close" } }).then(
    async (response) => {
      await response.arrayBuffer();
      return response.ok;
    },
    () => false,
  );
}
