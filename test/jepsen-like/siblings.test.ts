import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { KvClient, hasCode } from "../../src/client/client.ts";
import type { Reading } from "../../src/client/client.ts";
import { startCluster } from "../support/cluster.ts";
import type { Cluster } from "../support/cluster.ts";
import type { ClusterNode } from "../support/cluster-node.ts";
import { needsNetwork, Network } from "./nemesis/network.ts";
import { GrowSet } from "./workload/grow-set.ts";
import type { GrowSetOptions } from "./workload/grow-set.ts";

const IDS = ["n1", "n2", "n3"] as const;
const ROUNDS = 100;
const CLIENTS = 10;
const ELEMENTS_EACH = 60;
const FAULTS = 6;
/** Acknowledged elements while a fault lasts, and while there is none. */
const GROWN_IN_FAULT = 60;
const GROWN_BETWEEN = 30;

let cluster: Cluster;

function nodeOf(id: string): ClusterNode {
  const node = cluster.nodes[id];
  if (node === undefined) throw new Error(`there is no node ${id}`);
  return node;
}

/** The node of each turn. */
function nodeAt(turn: number): ClusterNode {
  return nodeOf(IDS[turn % IDS.length] ?? "");
}

function valuesOf(reading: Reading): readonly string[] {
  const text = (value: Uint8Array | null): string => Buffer.from(value ?? []).toString();
  switch (reading.kind) {
    case "absent":
      return [];
    case "value":
      return [text(reading.value)];
    case "siblings":
      return reading.siblings.map(({ value }) => text(value)).toSorted();
  }
}

/** One client that reads, then writes with what that read has told, through one node after another. */
class InterleavedClient implements AsyncDisposable {
  readonly name: string;
  #clients: readonly KvClient[];
  #turn: number;
  #seen: Reading | undefined;

  constructor(name: string, firstTurn: number) {
    this.name = name;
    this.#turn = firstTurn;
    this.#clients = cluster.urls.map((url) => new KvClient({ endpoints: [url] }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  async read(bucket: string): Promise<readonly string[]> {
    this.#seen = await this.#next().get("k", { bucket });
    return valuesOf(this.#seen);
  }

  async add(bucket: string, element: string): Promise<void> {
    if (this.#seen === undefined) throw new Error("nothing was read");
    const elements = valuesOf(this.#seen).flatMap((value) => value.split(","));
    const merged = [...new Set([...elements, element])].join();
    await this.#next().put("k", merged, { bucket, context: this.#seen.context });
  }

  #next(): KvClient {
    const client = this.#clients[this.#turn++ % this.#clients.length];
    if (client === undefined) throw new Error("no client");
    return client;
  }
}

describe("siblings on three nodes", () => {
  beforeEach(async () => {
    cluster = await startCluster({ nodes: IDS.length });
  });
  afterEach(() => cluster.stop());

  test("two writers through two nodes leave both values and one context, a write with it leaves one (N=3 R=W=2)", async () => {
    await using first = new KvClient({ endpoints: [nodeOf("n1").url] });
    await using second = new KvClient({ endpoints: [nodeOf("n2").url] });
    await using third = new KvClient({ endpoints: [nodeOf("n3").url] });
    await first.putBucket("carts", { mode: "siblings" });
    const { context } = await third.get("k", { bucket: "carts" });
    await Promise.all([
      first.put("k", "apples", { bucket: "carts", context }),
      second.put("k", "pears", { bucket: "carts", context }),
    ]);
    const both = await third.get("k", { bucket: "carts" });
    expect(both.kind).toBe("siblings");
    expect(valuesOf(both)).toEqual(["apples", "pears"]);
    await first.put("k", "apples, pears", { bucket: "carts", context: both.context });
    for (const client of [first, second, third]) {
      expect(valuesOf(await client.get("k", { bucket: "carts" }))).toEqual(["apples, pears"]);
    }
  });

  test(`two clients that interleave read, merge and write for ${ROUNDS} rounds see never more than two siblings and lose no element`, async () => {
    await using setup = new KvClient({ endpoints: cluster.urls });
    await setup.putBucket("sets", { mode: "siblings" });
    await using a = new InterleavedClient("a", 0);
    await using b = new InterleavedClient("b", 1);
    let most = 0;
    for (let round = 0; round < ROUNDS; round++) {
      for (const client of [a, b]) most = Math.max(most, (await client.read("sets")).length);
      for (const client of [a, b]) await client.add("sets", `${client.name}${round}`);
    }
    const left = await a.read("sets");
    expect(Math.max(most, left.length)).toBe(2);
    const elements = new Set(left.flatMap((value) => value.split(",")));
    expect(elements.size).toBe(2 * ROUNDS);
  });

  test("blind writes one after another make no siblings, also when nodes are killed in between", async () => {
    await using client = new KvClient({ endpoints: cluster.urls, timeoutMs: 20_000 });
    await client.putBucket("last", { mode: "siblings", blindWrites: "overwrite" });
    for (let i = 0; i < 30; i++) {
      await using writer = new KvClient({ endpoints: [nodeAt(i).url], timeoutMs: 20_000 });
      await writer.put("k", `value ${i}`, { bucket: "last" });
      if (i % 10 === 9) {
        await nodeAt(i).kill();
        await nodeAt(i).restart();
      }
      expect(valuesOf(await client.get("k", { bucket: "last" }))).toEqual([`value ${i}`]);
    }
  });

  test("blind writes that are to stand beside each other are refused at siblingsMax, and what they left is listed", async () => {
    await using client = new KvClient({ endpoints: cluster.urls });
    await client.putBucket("heap", { mode: "siblings", blindWrites: "sibling", siblingsMax: 3 });
    const put = (value: string): Promise<unknown> => client.put("k", value, { bucket: "heap" });
    for (const value of ["a", "b", "c"]) await put(value);
    const full: unknown = await put("d").catch((error: unknown) => error);
    const reading = await client.get("k", { bucket: "heap" });
    expect(valuesOf(reading)).toEqual(["a", "b", "c"]);
    expect(hasCode(full, "too-many-siblings")).toBe(true);
    const listed = hasCode(full, "too-many-siblings") ? full.data.siblings : [];
    const shown = reading.kind === "siblings" ? reading.siblings : [];
    expect(listed?.toSorted()).toEqual(shown.map(({ version }) => version).toSorted());
    await client.update("k", (all) => (all.length === 3 ? "merged" : "?"), { bucket: "heap" });
    expect(valuesOf(await client.get("k", { bucket: "heap" }))).toEqual(["merged"]);
  });

  test("blind writes that are refused say what is missing, and the answer 404 has it", async () => {
    await using client = new KvClient({ endpoints: cluster.urls });
    await client.putBucket("strict", { mode: "siblings", blindWrites: "refuse" });
    const blind: unknown = await client
      .put("k", "v", { bucket: "strict" })
      .catch((e: unknown) => e);
    expect(hasCode(blind, "context-required") && blind.status).toBe(428);
    const { context } = await client.get("k", { bucket: "strict" });
    await client.put("k", "v", { bucket: "strict", context });
    expect(valuesOf(await client.get("k", { bucket: "strict" }))).toEqual(["v"]);
  });

  test(`a set by read, modify and write from ${CLIENTS} clients loses nothing while those that mint are killed in turn`, async () => {
    const set = await growUnder("kill -9 of each node in turn", {
      mode: "siblings",
      begin: (node) => node.kill(),
      end: (node) => node.restart(),
    });
    await expectNothingLost(set);
  });
});

describe.skipIf(!needsNetwork())("siblings under partitions", () => {
  let network: Network;
  beforeEach(async () => {
    network = new Network(IDS);
    cluster = await startCluster({ nodes: IDS.length, ...network.placement });
  });
  afterEach(async () => {
    await cluster.stop();
    network[Symbol.dispose]();
  });

  const partition = {
    begin: (node: ClusterNode) => {
      for (const other of IDS.filter((id) => id !== node.id)) {
        network.cut({ from: node.id, to: other });
        network.cut({ from: other, to: node.id });
      }
    },
    end: () => network.heal(),
  };

  test(`a set by read, modify and write from ${CLIENTS} clients loses nothing`, async () => {
    const set = await growUnder("each node cut off in turn", { mode: "siblings", ...partition });
    await expectNothingLost(set);
  });

  test("the same set where the last write wins loses elements that were acknowledged", async () => {
    const set = await growUnder("each node cut off in turn", { mode: "lww", ...partition });
    expect(await lostOf(set)).not.toEqual([]);
  });
});

interface Faulty {
  readonly mode: "siblings" | "lww";
  readonly begin: (node: ClusterNode) => Promise<unknown> | void;
  readonly end: (node: ClusterNode) => Promise<unknown> | void;
}

/** One node after the other has the fault, each until the set has grown. */
async function growUnder(fault: string, { mode, begin, end }: Faulty): Promise<GrowSet> {
  const { bucket, by }: Pick<GrowSetOptions, "bucket" | "by"> =
    mode === "siblings"
      ? { bucket: "sets", by: "update" }
      : { bucket: "default", by: "get-and-put" };
  await using setup = new KvClient({ endpoints: cluster.urls });
  if (mode === "siblings") await setup.putBucket(bucket, { mode });
  const options = { bucket, by, clients: CLIENTS, elementsEach: ELEMENTS_EACH };
  const set = new GrowSet(options, cluster.urls);
  const growing = set.run();
  for (let turn = 0; turn < FAULTS; turn++) {
    await set.grown(GROWN_BETWEEN);
    await begin(nodeAt(turn));
    await set.grown(GROWN_IN_FAULT);
    await end(nodeAt(turn));
  }
  await growing;
  const lost = await lostOf(set);
  const counts = [set.acknowledged.size, lost.length, set.inDoubt.size, set.siblingsMost];
  if (set.refused.size > 0) console.log(Object.fromEntries(set.refused));
  console.log(`| ${[fault, mode, ...counts].join(" | ")} |`);
  return set;
}

/** Acknowledged elements that a read of all replicas through some node lacks. */
async function lostOf(set: GrowSet): Promise<readonly string[]> {
  const readings = await Promise.all(cluster.urls.map((url) => set.read(url)));
  const acknowledged = [...set.acknowledged];
  return acknowledged.filter((element) => readings.some((reading) => !reading.has(element)));
}

async function expectNothingLost(set: GrowSet): Promise<void> {
  expect(await lostOf(set)).toEqual([]);
  expect(set.acknowledged.size).toBeGreaterThan(FAULTS * GROWN_BETWEEN);
  expect(set.siblingsMost).toBeGreaterThan(1);
}
