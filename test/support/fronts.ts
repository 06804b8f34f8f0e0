import { join } from "node:path";
import { describe } from "vitest";
import type { FrontProgram } from "./front.ts";
import { needs } from "./needs.ts";

/** In its access log, entries of several tries are joined by " : ". */
export const NGINX: FrontProgram = {
  name: "nginx",
  program: "nginx",
  conf: "nginx.conf",
  edits: (port, { upstreams, readTimeoutMs = 2_500, longReadTimeoutMs = 31_000 }) => [
    ["listen 8080;", 1, `listen 127.0.0.1:${port};`],
    ["access_log /dev/stdout ", 1, "access_log access.log "],
    ["proxy_read_timeout 2500ms;", 1, `proxy_read_timeout ${readTimeoutMs}ms;`],
    ["proxy_read_timeout 31s;", 4, `proxy_read_timeout ${longReadTimeoutMs}ms;`],
    ...upstreams.map(
      (address, index) => [`server kv${index + 1}:7080 `, 3, `server ${address} `] as const,
    ),
  ],
  args: (directory, conf) => [
    "-p",
    `${directory}/`,
    "-c",
    conf,
    "-e",
    "stderr",
    "-g",
    "daemon off;",
  ],
  accessLog: "access.log",
};

export const HAPROXY: FrontProgram = {
  name: "HAProxy",
  program: "haproxy",
  conf: "deploy/haproxy/haproxy.cfg",
  edits: (port, { upstreams, readTimeoutMs = 2_500, longReadTimeoutMs = 31_000 }) => [
    ["bind :8080 ", 1, `bind 127.0.0.1:${port} `],
    ["timeout server 2500ms ", 1, `timeout server ${readTimeoutMs}ms `],
    ["set-timeout server 31s ", 2, `set-timeout server ${longReadTimeoutMs}ms `],
    ...upstreams.map((address, index) => [` kv${index + 1}:7080\n`, 2, ` ${address}\n`] as const),
  ],
  args: (directory, conf) => ["-db", "-C", directory, "-f", join(directory, conf)],
};

/** The same suite for each program; one that the machine lacks is a named skip, and in CI a failure. */
export function describeFronts(name: string, suite: (program: FrontProgram) => void): void {
  for (const program of [NGINX, HAPROXY]) {
    describe.skipIf(!needs(program.program))(`${program.name}: ${name}`, () => {
      suite(program);
    });
  }
}
