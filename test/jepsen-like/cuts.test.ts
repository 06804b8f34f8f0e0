import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { memberStates, startCluster, waitConnected } from "../support/cluster.ts";
import type { Cluster } from "../support/cluster.ts";
import type { ClusterNode } from "../support/cluster-node.ts";
import { needsNetwork, Network } from "./nemesis/network.ts";
import type { Link } from "./nemesis/network.ts";
import { expectUnhurt, runFault } from "./workload/fault-run.ts";

const IDS = ["n1", "n2", "n3"] as const;
const CUT_MS = 6_000;
const SECONDS = CUT_MS / 1_000;
const THERE: Link = { from: "n1", to: "n3" };
const BACK: Link = { from: "n3", to: "n1" };
const ALONE: readonly Link[] = [THERE, BACK, { from: "n2", to: "n3" }, { from: "n3", to: "n2" }];

let network: Network;
let cluster: Cluster;

/** What n1 and n2 said of n3 at the end of the cut. */
let seenOfN3: readonly unknown[];

async function look(): Promise<void> {
  const states = await Promise.all(["n1", "n2"].map((id) => memberStates(nodeOf(id))));
  seenOfN3 = states.map((ofMember) => ofMember.get("n3"));
  network.heal();
}

describe.skipIf(!needsNetwork())(
  "64 clients see no error, no false absence and few slow requests (N=3 R=W=2)",
  () => {
    beforeEach(async () => {
      network = new Network(IDS);
      cluster = await startCluster({ nodes: IDS.length, ...network.placement });
    });

    afterEach(async () => {
      await cluster.stop();
      network[Symbol.dispose]();
    });

    test.each([
      { name: "cut n1 → n3", links: [THERE] },
      { name: "cut n3 → n1", links: [BACK] },
      { name: "cut n1 ↔ n3", links: [THERE, BACK] },
    ])(`through all nodes for ${SECONDS} s of: $name`, async ({ name, links }) => {
      const begin = (): void => links.forEach((link) => network.cut(link));
      const fault = { name: `${name} for ${SECONDS} s`, ms: CUT_MS, begin, end: look };
      expectUnhurt(await runFault(fault, cluster.urls));
      expect(seenOfN3).toEqual([expect.not.stringMatching(/^connected$/), "connected"]);
      await waitConnected(nodeOf("n1"));
    });

    test(`through the others while nothing passes from and to n3 for ${SECONDS} s`, async () => {
      const begin = (): void => ALONE.forEach((link) => network.cut(link));
      const fault = { name: `n3 cut off for ${SECONDS} s`, ms: CUT_MS, begin, end: look };
      expectUnhurt(await runFault(fault, othersThanN3()));
      expect(seenOfN3).not.toContain("connected");
      await waitConnected(nodeOf("n1"));
      await waitConnected(nodeOf("n2"));
    });

    test(`through the others while n3 starts anew and n1 cannot open connections to it`, async () => {
      const begin = async (): Promise<void> => {
        network.cut(THERE, "connects");
        await nodeOf("n3").restart();
      };
      const name = `no connects n1 → n3, which restarts, for ${SECONDS} s`;
      expectUnhurt(await runFault({ name, ms: CUT_MS, begin, end: look }, othersThanN3()));
      expect(seenOfN3).toEqual([expect.not.stringMatching(/^connected$/), "connected"]);
      await waitConnected(nodeOf("n1"));
    });
  },
);

function nodeOf(id: string): ClusterNode {
  const node = cluster.nodes[id];
  if (node === undefined) throw new Error(`there is no node ${id}`);
  return node;
}

function othersThanN3(): readonly string[] {
  return [nodeOf("n1").url, nodeOf("n2").url];
}
