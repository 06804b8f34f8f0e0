import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { KvClient } from "../../src/client/client.ts";
import { SeededRng } from "../../src/testing/seeded-rng.ts";
import { startCluster } from "../support/cluster.ts";
import { waitFor } from "../support/real-kv.ts";
import { Supervisor } from "../support/supervisor.ts";
import { flipOneBitInEachTable } from "./nemesis/bit-rot.ts";
import { Journal, violations } from "./workload/journal.ts";
import { keysNamed, preload, readAll } from "./workload/load.ts";
import { missingRecords, storedRecords } from "./workload/stored-records.ts";

const KEYS = keysNamed("rot", 20_000);
const VALUE_BYTES = 400;

describe("one flipped bit in each table of one node", () => {
  test.each(["SIGTERM", "SIGKILL"] as const)(
    `${KEYS.length} keys read back right through every node and the node ends whole (N=3 R=W=2, stopped by %s)`,
    async (signal) => {
      await using cluster = await startCluster({ nodes: 3 });
      const { n1, n3 } = cluster.nodes;
      if (n1 === undefined || n3 === undefined) throw new Error("three nodes");
      const journal = new Journal();
      await preload({ urls: cluster.urls, keys: KEYS, valueBytes: VALUE_BYTES }, journal);
      // A start makes a table of what the log holds.
      await n3.restart();
      if (signal === "SIGKILL") await n3.kill();
      else await n3.stop();

      const database = join(cluster.folder, "n3", "db");
      const flips = flipOneBitInEachTable(database, new SeededRng(`bit-rot/${signal}`));
      expect(flips).not.toEqual([]);
      n3.start();
      await using supervisor = new Supervisor(n3);
      await readAll({ urls: cluster.urls, keys: KEYS }, journal);

      const damage = [...flips, `n3 ended ${JSON.stringify(supervisor.endings)}`].join("\n");
      expect(violations(journal.findings()), `after ${damage}`).toEqual([]);
      await using client = new KvClient({ endpoints: [n3.url] });
      await waitFor("n3 to be ready", async () => {
        const status = await client.cluster(n3.url).catch(() => undefined);
        return status?.state === "ready" ? true : undefined;
      });
      await supervisor[Symbol.asyncDispose]();
      await Promise.all(Object.values(cluster.nodes).map((node) => node.stop()));
      const whole = await storedRecords(join(cluster.folder, "n1", "db"));
      expect(whole.size).toBe(KEYS.length);
      const mended = await storedRecords(database).catch((cause: unknown) => {
        throw new Error(`n3's database cannot be read after ${damage}`, { cause });
      });
      expect(
        [missingRecords(whole, mended), missingRecords(mended, whole)],
        `after ${damage}`,
      ).toEqual([[], []]);
    },
  );
});
