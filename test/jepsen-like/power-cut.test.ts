import { describe, expect, test } from "vitest";
import { buildOf } from "../support/build-of.ts";
import { startCluster } from "../support/cluster.ts";
import { cutPower, LoopDisk, needsLoopDisks } from "./nemesis/loop-disk.ts";
import { Journal, violations } from "./workload/journal.ts";
import { keysNamed, Load, readAll } from "./workload/load.ts";

const WRITERS = 48;
const ROUNDS = 3;
/** Of each round, before the power goes. */
const ACKNOWLEDGED = 3_000;
const KEYS = keysNamed("power-cut", 200);

/** @returns the promises that were broken by cutting the power of all nodes under load, every round. */
async function loseThePower(rounds: number, mutant?: string): Promise<readonly string[]> {
  using n1 = new LoopDisk();
  using n2 = new LoopDisk();
  using n3 = new LoopDisk();
  const disks = new Map(Object.entries({ n1, n2, n3 }));
  const { execArgv, env } = buildOf(mutant);
  await using cluster = await startCluster({
    nodes: 3,
    data: (id) => disks.get(id)?.data,
    execArgv,
    nodeEnv: () => env,
  });
  const { urls } = cluster;
  const machines = Object.values(cluster.nodes).map((node) => {
    const disk = disks.get(node.id);
    if (disk === undefined) throw new Error(`${node.id} has no disk`);
    return { node, disk };
  });
  const journal = new Journal();
  for (let round = 0; round < rounds; round++) {
    {
      await using load = new Load(
        { urls, clients: WRITERS, keys: KEYS, valueBytes: 100, getShare: 0 },
        journal,
      );
      await load.succeed(ACKNOWLEDGED);
      await cutPower(machines);
    }
    for (const { node } of machines) node.start();
    await Promise.all(machines.map(({ node }) => node.waitReady()));
    await readAll({ urls, keys: KEYS }, journal);
  }
  return violations(journal.findings());
}

describe.skipIf(!needsLoopDisks())("all nodes lose power at the same moment", () => {
  test(`no write acknowledged with sync is lost (N=3 R=W=2, ${WRITERS} writers, ${ROUNDS} rounds)`, async () => {
    expect(await loseThePower(ROUNDS)).toEqual([]);
  });

  test("a build that never fsyncs is caught losing acknowledged writes", async () => {
    expect(await loseThePower(1, "fsync-off")).not.toEqual([]);
  });
});
