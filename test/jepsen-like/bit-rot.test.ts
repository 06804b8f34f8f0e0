import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { KvClient } from "../../src/client/client.ts";
import { SeededRng } from "../../src/testing/seeded-rng.ts";
import { buildOf } from "../support/build-of.ts";
import { startCluster } from "../support/cluster.ts";
import type { Ending } from "../support/cluster-node.ts";
import { waitFor } from "../support/real-kv.ts";
import { Supervisor } from "../support/supervisor.ts";
import { flipOneBitInEachTable, putKeysOutOfOrder } from "./nemesis/bit-rot.ts";
import { Journal, violations } from "./workload/journal.ts";
import { keysNamed, Load, preload, readAll } from "./workload/load.ts";
import { differences, storedRecords } from "./workload/stored-records.ts";

/** What was lost is copied after the longest request has ended. */
const SHORT = { requestTimeoutMaxMs: "5000" };

const NAME = "rot";
/** Tables are of about 2 MiB, so several rot. */
const VALUE_BYTES = 800;
const MANY = 20_000;
const SOME = 10_000;
const CLIENTS = 32;
/** Enough for LevelDB to merge its tables. */
const PUTS = 10_000;
const LOG_TAIL = 2_000;

interface Rot {
  readonly keys: number;
  /** How the node is stopped before its tables rot. */
  readonly signal: "SIGTERM" | "SIGKILL";
  readonly rot: (database: string) => readonly string[];
  /** Whether clients write on afterwards, for LevelDB to touch what has rotted. */
  readonly writeOn?: boolean;
  readonly mutant?: string;
}

interface Run {
  /** How the node ended by itself. */
  readonly endings: readonly Ending[];
  /** Promises that clients saw broken. */
  readonly broken: readonly string[];
  /** What the databases of two nodes do not hold alike in the end. */
  readonly unlike: readonly string[];
}

async function letRot({ keys: count, signal, rot, writeOn = false, mutant }: Rot): Promise<Run> {
  const keys = keysNamed(NAME, count);
  const { execArgv, env } = buildOf(mutant);
  await using cluster = await startCluster({
    nodes: 3,
    nodeOptions: SHORT,
    execArgv,
    nodeEnv: () => env,
  });
  const { urls, folder } = cluster;
  const { n1, n2, n3 } = cluster.nodes;
  if (n1 === undefined || n2 === undefined || n3 === undefined) throw new Error("three nodes");
  const journal = new Journal();
  await preload({ urls, keys, valueBytes: VALUE_BYTES }, journal);
  // A start makes a table of what the log holds.
  await n3.restart();
  if (signal === "SIGKILL") await n3.kill();
  else await n3.stop();

  const database = join(folder, n3.id, "db");
  const flips = rot(database);
  expect(flips).not.toEqual([]);
  console.log(`flipped ${flips.join(", ")}`);
  n3.start();
  await using supervisor = new Supervisor(n3);
  if (writeOn) {
    const load = { urls: [n1.url, n2.url], clients: CLIENTS, keys, getShare: 0 };
    await using running = new Load({ ...load, valueBytes: VALUE_BYTES }, journal);
    await running.succeed(PUTS);
  }
  await readAll({ urls, keys }, journal).catch((cause: unknown) => {
    const words = n3.log().slice(-LOG_TAIL);
    throw new Error(`n3 ended ${JSON.stringify(supervisor.endings)}\n${words}`, { cause });
  });
  await using client = new KvClient({ endpoints: [n3.url] });
  // What was found damaged last is repaired, and what was salvaged is copied, only when the writes of
  // that time have ended. Meanwhile LevelDB may still touch a table and end the process.
  await waitFor("n3 to be ready and whole", async () => {
    const status = await client.cluster(n3.url).catch(() => undefined);
    if (status?.state !== "ready" || status.resync !== null) return undefined;
    const metrics = await scraped(n3.url).catch(() => "");
    return /^kv_quarantined_records(\{.*\})? 0$/mu.test(metrics) || undefined;
  });
  await supervisor[Symbol.asyncDispose]();
  await Promise.all([n1, n2, n3].map((node) => node.stop()));
  const whole = await storedRecords(join(folder, n1.id, "db"));
  const mended = await storedRecords(database);
  expect(whole.records.size).toBe(keys.length);
  return {
    endings: supervisor.endings,
    broken: violations(journal.findings()),
    unlike: differences(whole, mended),
  };
}

async function scraped(url: string): Promise<string> {
  return (await fetch(`${url}/metrics`)).text();
}

describe("one flipped bit in each table of one node", () => {
  const rng = new SeededRng("bit-rot");
  const anywhere = (database: string): readonly string[] => flipOneBitInEachTable(database, rng);

  test.each([
    { keys: MANY, signal: "SIGTERM" },
    { keys: SOME, signal: "SIGKILL" },
  ] as const)(
    "$keys keys read back right through every node and the node ends whole (N=3 R=W=2, stopped by $signal)",
    async (stopped) => {
      const run = await letRot({ ...stopped, rot: anywhere });
      expect(run).toMatchObject({ broken: [], unlike: [] });
    },
  );

  test(`that puts keys out of order, at which LevelDB aborts, is mended under ${PUTS} puts (N=3 R=W=2)`, async () => {
    const rot = (database: string): readonly string[] => putKeysOutOfOrder(database, NAME);
    const run = await letRot({ keys: SOME, signal: "SIGTERM", rot, writeOn: true });
    expect(run).toMatchObject({ broken: [], unlike: [] });
    expect(run.endings.length, "the table was touched").toBeGreaterThan(0);
  });

  test("a build without checksums is caught", async () => {
    const mutant = "checksum-off";
    const run = await letRot({ keys: SOME, signal: "SIGTERM", rot: anywhere, mutant });
    expect(run.broken.length + run.unlike.length).toBeGreaterThan(0);
  });
});
