import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { KvClient } from "../../src/client/client.ts";
import { startCluster } from "../support/cluster.ts";
import { waitFor } from "../support/real-kv.ts";
import { Journal, violations } from "./workload/journal.ts";
import { keysNamed, preload, readAll } from "./workload/load.ts";
import { differences, storedRecords } from "./workload/stored-records.ts";

/** What was lost is copied after the longest request has ended. */
const SHORT = { requestTimeoutMaxMs: "5000" };

const KEYS = keysNamed("lost", 5_000);
const VALUE_BYTES = 400;

const LOSSES: readonly (readonly [string, (data: string) => Promise<void>])[] = [
  ["wiped", (data) => rm(data, { recursive: true })],
  ["unreadable to LevelDB", (data) => writeFile(join(data, "db", "CURRENT"), "no more")],
];

describe("a node comes back on a directory that lacks what it acknowledged", () => {
  test.each(LOSSES)(
    `${KEYS.length} keys read back right through every node, and it ends whole (N=3 R=W=2, %s)`,
    async (_name, lose) => {
      await using cluster = await startCluster({ nodes: 3, nodeOptions: SHORT });
      const { n1, n3 } = cluster.nodes;
      if (n1 === undefined || n3 === undefined) throw new Error("three nodes");
      const journal = new Journal();
      await preload({ urls: cluster.urls, keys: KEYS, valueBytes: VALUE_BYTES }, journal);
      await n3.kill();
      await lose(join(cluster.folder, "n3"));
      n3.start();
      await using client = new KvClient({ endpoints: [n3.url] });
      await waitFor("n3 to serve", () => client.cluster(n3.url).catch(() => undefined));
      await readAll({ urls: cluster.urls, keys: KEYS }, journal);
      expect(violations(journal.findings())).toEqual([]);
      await waitFor("n3 to be whole", async () => {
        const { resync } = await client.cluster(n3.url);
        return resync === null ? true : undefined;
      });
      await Promise.all(Object.values(cluster.nodes).map((node) => node.stop()));
      const whole = await storedRecords(join(cluster.folder, "n1", "db"));
      expect(whole.records.size).toBe(KEYS.length);
      const mended = await storedRecords(join(cluster.folder, "n3", "db"));
      expect(differences(whole, mended)).toEqual([]);
    },
  );
});
