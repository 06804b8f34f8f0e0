import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { needs } from "./needs.ts";

const CONF = join(import.meta.dirname, "..", "..", "nginx.conf");
const PROGRAM = "nginx";
const PORT_TRIES_MAX = 3;
const POLL_MS = 10;
const POLLS_MAX = 1_000;

export function needsNginx(): boolean {
  return needs(PROGRAM);
}

export interface NginxOptions {
  /** Client addresses of kv1, kv2 and kv3, each `host:port`. */
  readonly upstreams: readonly [string, string, string];
  /** Instead of the file's 2,500 ms, so that a test of a hung node is short. */
  readonly readTimeoutMs?: number;
  /** Instead of the file's 31 s for requests with a long `?timeout=`. */
  readonly longReadTimeoutMs?: number;
}

/** One line of the access log; nginx joins the entries of several tries by " : ". */
type AccessLogEntry = Readonly<Record<string, string | number>>;

export interface Nginx {
  readonly url: string;
  readonly port: number;
  /** nginx writes a line after the client has its answer, so this waits for `count` of them. */
  accessLog(count: number): Promise<readonly AccessLogEntry[]>;
  stop(): Promise<void>;
}

/**
 * Runs the real nginx with the project's own nginx.conf, in a directory of its own.
 * @throws with nginx's own words if it does not start.
 */
export async function startNginx(options: NginxOptions): Promise<Nginx> {
  for (let portTry = 1; ; portTry += 1) {
    try {
      return await startOn(await freePort(), options);
    } catch (error) {
      // Another process may take the port between our look and nginx's bind.
      const taken = error instanceof Error && error.message.includes("Address already in use");
      if (!taken || portTry === PORT_TRIES_MAX) throw error;
    }
  }
}

async function startOn(port: number, options: NginxOptions): Promise<Nginx> {
  const conf = substituted(await readFile(CONF, "utf8"), port, options);
  const directory = await mkdtemp(join(tmpdir(), "quorate-nginx-"));
  await chmod(directory, 0o755); // workers of a root master run as nobody and keep bodies here
  await writeFile(join(directory, "nginx.conf"), conf);
  const child = spawn(
    PROGRAM,
    ["-p", `${directory}/`, "-c", "nginx.conf", "-e", "stderr", "-g", "daemon off;"],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let ended = false;
  let words = "";
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

  // nginx writes the pid file once it listens.
  const listening = await until(async () => ended || (await exists(join(directory, "nginx.pid"))));
  if (ended || !listening) {
    await stop();
    throw new Error(`nginx did not start: ${words}`);
  }
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    stop,
    accessLog: async (count) => {
      let entries: readonly AccessLogEntry[] = [];
      const complete = await until(async () => {
        entries = parseLog(await readFile(join(directory, "access.log"), "utf8"));
        return entries.length >= count;
      });
      if (!complete) throw new Error(`the access log has ${entries.length} lines, not ${count}`);
      return entries;
    },
  };
}

/** The file as an operator would edit it: each text must stand there as often as is said here. */
function substituted(conf: string, port: number, options: NginxOptions): string {
  const { upstreams, readTimeoutMs = 2_500, longReadTimeoutMs = 31_000 } = options;
  const edits: readonly (readonly [text: string, times: number, replacement: string])[] = [
    ["listen 8080;", 1, `listen 127.0.0.1:${port};`],
    ["access_log /dev/stdout ", 1, "access_log access.log "],
    ["proxy_read_timeout 2500ms;", 1, `proxy_read_timeout ${readTimeoutMs}ms;`],
    ["proxy_read_timeout 31s;", 4, `proxy_read_timeout ${longReadTimeoutMs}ms;`],
    ...upstreams.map(
      (address, index) => [`server kv${index + 1}:7080 `, 5, `server ${address} `] as const,
    ),
  ];
  return edits.reduce((text, [old, times, replacement]) => {
    const parts = text.split(old);
    if (parts.length !== times + 1) {
      throw new Error(`nginx.conf has '${old}' ${parts.length - 1} times instead of ${times}`);
    }
    return parts.join(replacement);
  }, conf);
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

function parseLog(text: string): readonly AccessLogEntry[] {
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as AccessLogEntry);
}

async function until(condition: () => Promise<boolean>): Promise<boolean> {
  for (let poll = 0; poll < POLLS_MAX; poll += 1) {
    if (await condition()) return true;
    await sleep(POLL_MS);
  }
  return false;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
