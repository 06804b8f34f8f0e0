import { describe, expect, test } from "vitest";
import { startCluster } from "../support/cluster.ts";
import { Supervisor } from "../support/supervisor.ts";
import { waitFor } from "../support/real-kv.ts";
import { failFsync, needsFsyncFaults, ONE_STORAGE_THREAD } from "./nemesis/fsync.ts";
import { Journal, violations } from "./workload/journal.ts";
import { keysNamed, Load, preload, readAll } from "./workload/load.ts";

const CLIENTS = 24;
const KEYS = keysNamed("io-error", 100);
const VALUE_BYTES = 100;
/** Operations with the node back. */
const SUCCESSES_AFTER = 500;

describe.skipIf(!needsFsyncFaults())("an fsync that fails", () => {
  test("ends the node, whose writes are then in doubt and never denied (N=3 R=2 W=2 and 3, EIO on the second fsync)", async () => {
    await using cluster = await startCluster({
      nodes: 3,
      nodeEnv: (id) => (id === "n3" ? ONE_STORAGE_THREAD : {}),
    });
    const { urls } = cluster;
    const { n1, n3 } = cluster.nodes;
    if (n1 === undefined || n3 === undefined) throw new Error("three nodes");
    const journal = new Journal();
    await preload({ urls, keys: KEYS, valueBytes: VALUE_BYTES }, journal);
    const failed = n3.ended();
    await using supervisor = new Supervisor(n3);
    {
      await using fault = await failFsync(n3.pid, { nth: 2 });
      await using load = new Load(
        {
          urls,
          clients: CLIENTS,
          keys: KEYS,
          valueBytes: VALUE_BYTES,
          getShare: 0.2,
          allShare: 0.5,
        },
        journal,
      );
      expect(await failed).toMatchObject({ signal: null, code: expect.any(Number) });
      await fault[Symbol.asyncDispose]();
      await waitFor("n3 to be started again", () => (n3.running ? true : undefined));
      await n3.waitReady();
      await load.succeed(SUCCESSES_AFTER);
    }
    await readAll({ urls, keys: KEYS }, journal);

    expect(supervisor.endings.map(({ code }) => code)).toEqual([expect.toSatisfy(isFailure)]);
    expect(violations(journal.findings())).toEqual([]);
    const writes = journal.errors.filter(({ kind }) => kind === "put");
    // Whoever asked for two replicas, at another node, noticed nothing.
    expect(writes.filter(({ w, node }) => w === 2 && node !== n3.url)).toEqual([]);
    expect(writes.filter(({ outcome }) => outcome === "unknown")).not.toEqual([]);
  });
});

function isFailure(code: unknown): boolean {
  return typeof code === "number" && code !== 0;
}
