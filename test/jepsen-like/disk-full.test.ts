import { cp } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { KvClient } from "../../src/client/client.ts";
import { buildOf } from "../support/build-of.ts";
import { startCluster } from "../support/cluster.ts";
import type { ClusterNode, Ending } from "../support/cluster-node.ts";
import { waitFor } from "../support/real-kv.ts";
import { Supervisor } from "../support/supervisor.ts";
import { needsSmallDisks, SmallDisk } from "./nemesis/small-disk.ts";
import { Journal, violations } from "./workload/journal.ts";
import { keysNamed, Load, preload, readAll } from "./workload/load.ts";
import { losses, storedRecords } from "./workload/stored-records.ts";

const MiB = 1024 * 1024;
/** Room for LevelDB's log and tables of this little data, several times over. */
const DISK_MEBIBYTES = 64;
const CLIENTS = 24;
const KEYS = keysNamed("disk-full", 200);
const VALUE_BYTES = 1_000;
/** Operations with a full disk, and again with room on it. */
const SUCCESSES = 3_000;

interface Scenario {
  readonly name: string;
  /** The node's watermark: below it, it takes no client's write. */
  readonly diskFreeBytesMin: number;
  /** What the ballast leaves. */
  readonly leaveBytes: number;
}

const TO_THE_LAST_BYTE: Scenario = { name: "to the last byte", diskFreeBytesMin: 0, leaveBytes: 0 };
const SCENARIOS: readonly Scenario[] = [
  { name: "below the watermark", diskFreeBytesMin: 16 * MiB, leaveBytes: 8 * MiB },
  TO_THE_LAST_BYTE,
];

interface Run {
  /** What the node had acknowledged, every key, and not kept when it was killed. */
  readonly lost: readonly string[];
  /** Promises that clients saw broken. */
  readonly broken: readonly string[];
  /** How operations were refused while the disk was full, each way once. */
  readonly refusals: readonly string[];
  /** The code of a put that wanted all three replicas then. */
  readonly ofThree: string | undefined;
  readonly endings: readonly Ending[];
}

/** Fills one node's disk under load, makes room again, and restarts the node to see what it kept. */
async function fillUp({ diskFreeBytesMin, leaveBytes }: Scenario, mutant?: string): Promise<Run> {
  const { execArgv, env } = buildOf(mutant);
  using disk = new SmallDisk({ mebibytes: DISK_MEBIBYTES });
  await using cluster = await startCluster({
    nodes: 3,
    data: (id) => (id === "n3" ? disk.data : undefined),
    nodeOptions: { diskFreeBytesMin: String(diskFreeBytesMin) },
    execArgv,
    nodeEnv: () => env,
  });
  const { urls } = cluster;
  const { n1, n3 } = cluster.nodes;
  if (n1 === undefined || n3 === undefined) throw new Error("three nodes");
  const journal = new Journal();
  const load = { urls, clients: CLIENTS, keys: KEYS, valueBytes: VALUE_BYTES, getShare: 0.5 };
  await preload(load, journal);
  await using supervisor = new Supervisor(n3);

  disk.fill({ leaveBytes });
  {
    await using running = new Load(load, journal);
    await running.succeed(SUCCESSES);
  }
  const refusals = new Set(
    journal.errors.map(({ kind, node, error }) => {
      const { code, outcome, retry, message } = error ?? {};
      return `${kind} at ${node === n3.url ? "n3" : "another"}: ${code}, ${outcome}, ${retry} (${message})`;
    }),
  );
  const ofThree = await putAt(n1, { w: 3 });

  disk.free();
  await waitFor("n3 to take writes again", async () =>
    (await putAt(n3, { w: 3 })) === undefined ? true : undefined,
  );
  {
    await using running = new Load({ ...load, allShare: 1 }, journal);
    await running.succeed(SUCCESSES);
  }
  await preload({ ...load, w: 3 }, journal);
  await supervisor[Symbol.asyncDispose]();
  await n3.kill();
  const asKilled = join(cluster.folder, "n3-as-killed");
  await cp(disk.data, asKilled, { recursive: true });
  await n3.restart();
  await readAll({ urls: [n3.url], keys: KEYS, r: 1 }, journal);
  await readAll({ urls, keys: KEYS }, journal);
  await Promise.all(Object.values(cluster.nodes).map((node) => node.stop()));
  const whole = await storedRecords(join(cluster.folder, n1.id, "db"));
  return {
    lost: losses(whole, await storedRecords(join(asKilled, "db"))),
    broken: violations(journal.findings()),
    refusals: [...refusals],
    ofThree,
    endings: supervisor.endings,
  };
}

describe.skipIf(!needsSmallDisks())("the disk of one node is full", () => {
  test.each(SCENARIOS)(
    "$name: puts go elsewhere or are 507, reads go on, the node comes back by itself, nothing acknowledged is lost (N=3 R=W=2)",
    async (scenario) => {
      const { lost, broken, refusals, ofThree, endings } = await fillUp(scenario);
      expect({ lost, broken }).toEqual({ lost: [], broken: [] });
      const lacksSpace = "put at n3: no-space, not-applied, after";
      expect(refusals.filter((refusal) => !refusal.startsWith(lacksSpace))).toEqual([]);
      // Refused before it was sent to anybody, or applied by the two that have room.
      expect(["no-space", "write-unknown"]).toContain(ofThree);
      expect(endings).toEqual([]);
    },
  );

  test("a build that goes on with the old handle once there is space is caught losing writes", async () => {
    const { lost } = await fillUp(TO_THE_LAST_BYTE, "full-disk-not-reopened");
    expect(lost).not.toEqual([]);
  });
});

/** @returns the code of the error. */
async function putAt(node: ClusterNode, { w }: { w: number }): Promise<string | undefined> {
  await using client = new KvClient({ endpoints: [node.url], attemptsMax: 1 });
  const error = await client.put("probe", "value", { w }).catch((reason: unknown) => reason);
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
