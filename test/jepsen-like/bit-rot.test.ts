import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { KvClient } from "../../src/client/client.ts";
import { SeededRng } from "../../src/testing/seeded-rng.ts";
import { buildOf } from "../support/build-of.ts";
import { startCluster } from "../support/cluster.ts";
import { waitFor } from "../support/real-kv.ts";
import { Supervisor } from "../support/supervisor.ts";
import { flipOneBitInEachTable } from "./nemesis/bit-rot.ts";
import { Journal, violations } from "./workload/journal.ts";
import { keysNamed, preload, readAll } from "./workload/load.ts";
import { differences, storedRecords } from "./workload/stored-records.ts";

/** Tables are of about 2 MiB, so several rot. */
const VALUE_BYTES = 800;
const MANY = 20_000;
const SOME = 10_000;
const LOG_TAIL = 2_000;

interface Rot {
  readonly keys: number;
  /** How the node is stopped before its tables rot. */
  readonly signal: "SIGTERM" | "SIGKILL";
  readonly mutant?: string;
}

interface Run {
  /** Promises that clients saw broken. */
  readonly broken: readonly string[];
  /** What the two databases do not hold alike in the end. */
  readonly unlike: readonly string[];
}

async function letRot({ keys: count, signal, mutant }: Rot): Promise<Run> {
  const keys = keysNamed("rot", count);
  const { execArgv, env } = buildOf(mutant);
  await using cluster = await startCluster({ nodes: 3, execArgv, nodeEnv: () => env });
  const { urls, folder } = cluster;
  const { n3 } = cluster.nodes;
  if (n3 === undefined) throw new Error("three nodes");
  const journal = new Journal();
  await preload({ urls, keys, valueBytes: VALUE_BYTES }, journal);
  // A start makes a table of what the log holds.
  await n3.restart();
  if (signal === "SIGKILL") await n3.kill();
  else await n3.stop();

  const database = join(folder, "n3", "db");
  const flips = flipOneBitInEachTable(database, new SeededRng(`bit-rot/${signal}`));
  expect(flips).not.toEqual([]);
  console.log(`flipped ${flips.join(", ")}`);
  n3.start();
  await using supervisor = new Supervisor(n3);
  await readAll({ urls, keys }, journal).catch((cause: unknown) => {
    throw new Error(`n3 says in the end\n${n3.log().slice(-LOG_TAIL)}`, { cause });
  });
  await using client = new KvClient({ endpoints: [n3.url] });
  await waitFor("n3 to be ready", async () => {
    const status = await client.cluster(n3.url).catch(() => undefined);
    return status?.state === "ready" ? true : undefined;
  });
  console.log(`n3 ended ${supervisor.endings.length} times`);
  await supervisor[Symbol.asyncDispose]();
  await Promise.all(Object.values(cluster.nodes).map((node) => node.stop()));
  const whole = await storedRecords(join(folder, "n1", "db"));
  const mended = await storedRecords(database);
  expect(whole.records.size).toBe(keys.length);
  return { broken: violations(journal.findings()), unlike: differences(whole, mended) };
}

describe("one flipped bit in each table of one node", () => {
  test.each([
    { keys: MANY, signal: "SIGTERM" },
    { keys: SOME, signal: "SIGKILL" },
  ] satisfies Rot[])(
    "$keys keys read back right through every node and the node ends whole (N=3 R=W=2, stopped by $signal)",
    async (rot) => {
      expect(await letRot(rot)).toEqual({ broken: [], unlike: [] });
    },
  );

  test("a build without checksums is caught", async () => {
    const run = await letRot({ keys: SOME, signal: "SIGTERM", mutant: "checksum-off" });
    expect(run).not.toEqual({ broken: [], unlike: [] });
  });
});
