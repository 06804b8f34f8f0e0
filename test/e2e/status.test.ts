import { statfsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { startCluster } from "../support/cluster.ts";
import type { Cluster } from "../support/cluster.ts";
import { needs, needsFeature } from "../support/needs.ts";
import { startFront } from "../support/front.ts";
import { NGINX } from "../support/fronts.ts";
import { waitFor } from "../support/real-kv.ts";
import { kv } from "../support/shell.ts";

/** The status of these endpoints once it says so. */
async function saying(urls: readonly string[], what: RegExp): Promise<{ exitCode: number }> {
  return waitFor(String(what), async () => {
    const { stdout, exitCode } = await kv(["status", "-e", urls.join(",")]);
    return what.test(stdout.toString()) ? { exitCode } : undefined;
  });
}

function nodeOf(cluster: Cluster, id: string) {
  const node = cluster.nodes[id];
  if (node === undefined) throw new Error(`there is no ${id}`);
  return node;
}

function addressOf(url: string | undefined): string {
  return new URL(url ?? "").host;
}

/** The largest reserve that a node takes. */
const RESERVE_BYTES = 2 ** 40;
const hasLessFree = needsFeature("less than 1 TiB of free disk", () => {
  const { bavail, bsize } = statfsSync(tmpdir());
  if (bavail * bsize >= RESERVE_BYTES) throw new Error("there is more");
});

describe("kv status", () => {
  test("what it says of clients is what clients meet (N=3, one and two killed, three buckets)", async () => {
    await using cluster = await startCluster({ nodes: 3 });
    const all = cluster.urls.join(",");
    const env = { KV_ENDPOINTS: all, KV_TIMEOUT: "2000" };
    await kv(["bucket", "create", "careful", "--r", "3", "--w", "1"], { env });
    await kv(["bucket", "create", "kept", "--r", "1", "--w", "3"], { env });
    const buckets = ["default", "careful", "kept"];
    for (const bucket of buckets) {
      expect((await kv(["put", "k", "v", "-b", bucket], { env })).exitCode).toBe(0);
    }
    const claimed = async () => {
      const { stdout } = await kv(["status", "-o", "jsonl"], { env });
      const lines = stdout.toString().trim().split("\n");
      return lines
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .filter(({ kind }) => kind === "bucket")
        .map(({ bucket, unreadable, unwritable }) => ({
          bucket,
          reads: unreadable === 0,
          writes: unwritable === 0,
        }))
        .toSorted((a, b) => buckets.indexOf(String(a.bucket)) - buckets.indexOf(String(b.bucket)));
    };
    const met = async () => {
      const rows = [];
      for (const bucket of buckets) {
        const get = await kv(["get", "k", "-b", bucket], { env });
        const put = await kv(["put", "k", "v", "-b", bucket], { env });
        rows.push({ bucket, reads: get.exitCode === 0, writes: put.exitCode === 0 });
      }
      return rows;
    };
    for (const id of ["n3", "n2"]) {
      await nodeOf(cluster, id).kill();
      await saying([cluster.urls[0] ?? ""], new RegExp(`n1 does not reach ${id} `));
      expect(await met()).toEqual(await claimed());
    }
  });

  test.skipIf(!hasLessFree)("a disk below its reserve", async () => {
    const nodeEnv = () => ({ KV_DISK_FREE_BYTES_MIN: String(RESERVE_BYTES) });
    await using full = await startCluster({ nodes: 1, nodeEnv });
    expect(await saying(full.urls, /! the disk of n1 is nearly full/)).toEqual({ exitCode: 9 });
    const effect = /! bucket 'default' .*: not writable in any partition\n/;
    expect(await saying(full.urls, effect)).toEqual({ exitCode: 9 });
  });

  test("a document that was missed, another cluster, other peers", async () => {
    await using one = await startCluster({ nodes: 1 });
    await using twin = await startCluster({ nodes: 1 });
    await using pair = await startCluster({ nodes: 2 });
    await using other = await startCluster({ nodes: 1, nodeOptions: { clusterId: "other" } });
    await kv(["bucket", "create", "b", "-e", one.urls.join()]);
    for (const [urls, what] of [
      [
        [...twin.urls, ...one.urls],
        /! the nodes have different cluster documents: version 1 on n1/,
      ],
      [[...one.urls, ...pair.urls], /! the nodes have different epochs: /],
      [[...one.urls, ...other.urls], /! the nodes have different cluster ids: .*other on n1/],
    ] as const) {
      expect(await saying(urls, what)).toEqual({ exitCode: 9 });
    }
  });

  test("a lost directory, while the node that could say what it held is down", async () => {
    await using cluster = await startCluster({ nodes: 3 });
    await kv(["put", "k", "v", "-e", cluster.urls.join()]);
    for (const id of ["n2", "n3"]) await nodeOf(cluster, id).kill();
    await rm(join(cluster.folder, "n3"), { recursive: true });
    await nodeOf(cluster, "n3").restart();
    const said = await saying(cluster.urls, /! n3 answers no reads in \d+ partitions: .* from n2 /);
    expect(said).toEqual({ exitCode: 9 });
  });
});

describe.skipIf(!needs("faketime"))("kv status of clocks", () => {
  test("a clock that is a minute ahead: which, and what its node does not do", async () => {
    await using cluster = await startCluster({ nodes: 3 });
    await nodeOf(cluster, "n3").stop();
    nodeOf(cluster, "n3").start({ wrap: ["faketime", "-f", "+60s"] });
    const said = await saying(cluster.urls, /coordinates neither writes nor reads: [\s\S]*of n3/);
    expect(said).toEqual({ exitCode: 9 });
  });
});

describe.skipIf(!needs("nginx"))("kv status through nginx", () => {
  test("it is told apart from a node that is down; beside nodes it is a problem", async () => {
    await using cluster = await startCluster({ nodes: 3 });
    const [a, b, c] = cluster.urls.map(addressOf);
    const nginx = await startFront(NGINX, { upstreams: [a ?? "", b ?? "", c ?? ""] });
    try {
      const what = /answers, but not as a node does[\s\S]*name the client ports of the nodes/;
      expect(await saying([nginx.url], what)).toEqual({ exitCode: 8 });
      expect(await saying([...cluster.urls, nginx.url], what)).toEqual({ exitCode: 9 });
    } finally {
      await nginx.stop();
    }
  });
});
