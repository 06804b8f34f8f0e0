import { describe, expect, test } from "vitest";
import { buildOf } from "../support/build-of.ts";
import { startCluster } from "../support/cluster.ts";
import type { Ending } from "../support/cluster-node.ts";
import { waitFor } from "../support/real-kv.ts";
import { Supervisor } from "../support/supervisor.ts";
import { failFsync, needsFsyncFaults, ONE_STORAGE_THREAD } from "./nemesis/fsync.ts";
import { Journal, violations } from "./workload/journal.ts";
import type { Entry } from "./workload/journal.ts";
import { keysNamed, Load, preload, readAll } from "./workload/load.ts";

const CLIENTS = 24;
const KEYS = keysNamed("io-error", 100);
const VALUE_BYTES = 100;
/** Operations with the node back. */
const SUCCESSES_AFTER = 500;

interface Run {
  readonly endings: readonly Ending[];
  readonly broken: readonly string[];
  /** Puts that were not acknowledged. */
  readonly failedPuts: readonly Entry[];
  /** The url of the node whose fsync failed. */
  readonly failing: string;
}

/** Half of the puts want all three replicas, so that the failure of one is one of the put. */
async function failOneFsync(mutant?: string): Promise<Run> {
  const { execArgv, env } = buildOf(mutant);
  await using cluster = await startCluster({
    nodes: 3,
    execArgv,
    nodeEnv: (id) => ({ ...(id === "n3" && ONE_STORAGE_THREAD), ...env }),
  });
  const { urls } = cluster;
  const { n3 } = cluster.nodes;
  if (n3 === undefined) throw new Error("three nodes");
  const journal = new Journal();
  const load = { urls, clients: CLIENTS, keys: KEYS, valueBytes: VALUE_BYTES, getShare: 0.2 };
  await preload(load, journal);
  const ended = n3.ended();
  await using supervisor = new Supervisor(n3);
  {
    await using _fault = await failFsync(n3.pid, { nth: 2 });
    await using running = new Load({ ...load, allShare: 0.5 }, journal);
    await ended;
    await waitFor("n3 to be started again", () => (n3.running ? true : undefined));
    await n3.waitReady();
    await running.succeed(SUCCESSES_AFTER);
  }
  await readAll({ urls, keys: KEYS }, journal);
  return {
    endings: supervisor.endings,
    broken: violations(journal.findings()),
    failedPuts: journal.errors.filter(({ kind }) => kind === "put"),
    failing: n3.url,
  };
}

describe.skipIf(!needsFsyncFaults())("the second fsync of one node fails with EIO", () => {
  test("the node ends itself, and what it was asked to write is in doubt, never denied (N=3 R=2, W=2 and 3)", async () => {
    const { endings, broken, failedPuts, failing } = await failOneFsync();
    expect(endings).toEqual([{ code: expect.any(Number), signal: null }]);
    expect(broken).toEqual([]);
    // Whoever asked another node for two replicas noticed nothing.
    expect(failedPuts.filter(({ w, node }) => w === 2 && node !== failing)).toEqual([]);
    expect(failedPuts.filter(({ outcome }) => outcome === "unknown")).not.toEqual([]);
  });

  test("a build that denies what is in doubt is caught", async () => {
    const { broken } = await failOneFsync("unknown-as-not-applied");
    expect(broken.filter((sentence) => sentence.startsWith("outcome-honesty"))).not.toEqual([]);
  });
});
