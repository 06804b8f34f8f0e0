import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startCluster } from "../support/cluster.ts";
import type { Cluster } from "../support/cluster.ts";
import type { ClusterNode } from "../support/cluster-node.ts";
import { needsFsyncFaults, slowFsync } from "./nemesis/fsync.ts";
import { expectUnhurt, runFault } from "./workload/fault-run.ts";
import { violations } from "./workload/journal.ts";

const SLOW_FSYNC_MS = 20;
const STUTTER_MS = 5_000;
const STOPPED_MS = 300;
const RUNNING_MS = 100;

let cluster: Cluster;
let n3: ClusterNode;
let healthy: readonly string[];

beforeEach(async () => {
  cluster = await startCluster({ nodes: 3 });
  const node = cluster.nodes["n3"];
  if (node === undefined) throw new Error("three nodes");
  n3 = node;
  healthy = cluster.urls.filter((url) => url !== n3.url);
});

afterEach(() => cluster.stop());

describe("64 clients on healthy nodes see no error, no false absence and few slow requests (N=3 R=W=2)", () => {
  test("while the third is killed and started again 5 s later", async () => {
    const fault = {
      name: "kill -9, restart after 5 s",
      ms: 5_000,
      begin: () => n3.kill(),
      end: () => n3.restart(),
    };
    expectUnhurt(await runFault(fault, healthy));
  });

  test("while the third is stopped for 20 s and goes on", async () => {
    const fault = {
      name: "SIGSTOP for 20 s, SIGCONT",
      ms: 20_000,
      begin: () => n3.pause(),
      end: () => n3.resume(),
    };
    expectUnhurt(await runFault(fault, healthy));
  });

  test(`while the third runs ${RUNNING_MS} of every ${RUNNING_MS + STOPPED_MS} ms`, async () => {
    let stuttering: Promise<void> | undefined;
    const fault = {
      name: `stopped ${STOPPED_MS} of every ${RUNNING_MS + STOPPED_MS} ms for ${STUTTER_MS / 1_000} s`,
      ms: STUTTER_MS,
      begin: () => {
        stuttering = stutter(n3);
      },
      end: () => stuttering,
    };
    expectUnhurt(await runFault(fault, healthy));
  });

  test.skipIf(!needsFsyncFaults())(
    `while each fsync of the third takes ${SLOW_FSYNC_MS} ms longer`,
    async () => {
      const fault = {
        name: `each fsync ${SLOW_FSYNC_MS} ms longer for 5 s`,
        ms: 5_000,
        begin: () => n3.restart({ wrap: slowFsync({ delayMs: SLOW_FSYNC_MS }) }),
        end: () => n3.restart(),
      };
      expectUnhurt(await runFault(fault, healthy));
    },
  );
});

describe("64 clients on all nodes", () => {
  test("of one that is killed and started again are refused or cut off until it is ready, never answered 404", async () => {
    const fault = {
      name: "kill -9, restart after 3 s, clients on all nodes",
      ms: 3_000,
      begin: () => n3.kill(),
      end: () => n3.restart(),
    };
    const { journal } = await runFault(fault, cluster.urls);
    const codes = new Set(journal.errors.map(({ error }) => error?.code));
    for (const code of ["unreachable", "write-unknown", "starting-or-draining"] as const) {
      codes.delete(code);
    }
    expect([...codes]).toEqual([]);
    expect(journal.errors.filter(({ node }) => node !== n3.url)).toEqual([]);
    expect(journal.falselyAbsent).toEqual([]);
    expect(violations(journal.findings())).toEqual([]);
    expect(journal.slow).toEqual([]);
  });
});

async function stutter(node: ClusterNode): Promise<void> {
  for (let ms = 0; ms < STUTTER_MS; ms += STOPPED_MS + RUNNING_MS) {
    node.pause();
    await sleep(STOPPED_MS);
    node.resume();
    await sleep(RUNNING_MS);
  }
}
