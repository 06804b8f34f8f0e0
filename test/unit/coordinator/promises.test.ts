import { describe, expect, test } from "vitest";
import { KvError } from "../../../src/core/errors.ts";
import { parseWriteId } from "../../../src/core/ids.ts";
import { sleep } from "../../../src/ports/clock.ts";
import { SeededRng } from "../../../src/testing/seeded-rng.ts";
import { LATENCY_MS, VirtualCluster } from "../../support/virtual-cluster.ts";
import type { VirtualNode } from "../../support/virtual-node.ts";

const SEEDS = 40;
/** Far more than it takes: virtual time does not wait, but a busy machine may. */
const RUN_TIMEOUT_MS = 60_000;
const CLIENTS = 4;
const OPERATIONS = 25;
const FAULTS = 20;
const TIMEOUT_MS = 300;
const KEYS = ["k1", "k2"];
/** A client whose node died under it gives up. */
const GIVE_UP_MS = 2 * TIMEOUT_MS;

/**
 * What the clients of one key were told. `floor` is the newest stamp that an acknowledged write or a
 * read came to: whoever asks from then on must not be told anything older (I3, I4), and a write that
 * begins from then on must be stamped above it (I5).
 */
class History {
  readonly violations: string[] = [];
  readonly #floors = new Map<string, number>();
  readonly #notApplied = new Set<string>();

  floor(key: string): number {
    return this.#floors.get(key) ?? 0;
  }

  read(key: string, floor: number, version: { stamp: number; writeId: string } | undefined): void {
    const stamp = version?.stamp ?? 0;
    if (stamp < floor) this.violations.push(`${key}: read ${stamp}, ${floor} was known before`);
    this.#raise(key, stamp);
    if (version !== undefined) this.seen(version.writeId);
  }

  acknowledged(key: string, floor: number, stamp: number): void {
    if (stamp <= floor) this.violations.push(`${key}: wrote ${stamp}, ${floor} was known before`);
    this.#raise(key, stamp);
  }

  notApplied(writeId: string): void {
    this.#notApplied.add(writeId);
  }

  /** I8: what was answered not-applied is nowhere, then or later. */
  seen(writeId: string): void {
    if (this.#notApplied.has(writeId)) this.violations.push(`${writeId} was applied`);
  }

  #raise(key: string, stamp: number): void {
    this.#floors.set(key, Math.max(this.floor(key), stamp));
  }
}

interface Run {
  readonly cluster: VirtualCluster;
  readonly history: History;
  readonly alive: Set<VirtualNode>;
  readonly rng: SeededRng;
}

async function simulate(seed: number): Promise<History> {
  const rng = new SeededRng(`promises/${seed}`);
  const shape = rng.fork("shape");
  const cluster = await VirtualCluster.open({
    nodes: 3 + shape.below(3),
    seed,
    wallOffsetsMs: Array.from({ length: 5 }, () => shape.below(120_000) - 60_000),
    options: { requestTimeoutMs: TIMEOUT_MS, peerSilenceMs: 150, spareDelayMs: 20 },
  });
  const net = rng.fork("net");
  cluster.fate = () => {
    const dice = net.fraction();
    if (dice < 0.03) return [];
    return [dice < 0.06 ? 50 + net.below(400) : net.below(8)];
  };
  for (const node of cluster.nodes) {
    const disk = rng.fork("disk").fork(node.id);
    node.disk.pause = () => sleep(node.clock, disk.below(5));
  }
  const run = { cluster, history: new History(), alive: new Set(cluster.nodes), rng };
  const clients = Array.from({ length: CLIENTS }, (_, i) => client(run, i));
  await cluster.run(Promise.all([...clients, faults(run)]));
  await calm(run);
  return run.history;
}

async function client({ cluster, history, alive, rng }: Run, number: number): Promise<void> {
  const choices = rng.fork("client").fork(number);
  const clock = cluster.time.clock();
  for (let i = 0; i < OPERATIONS; i++) {
    await sleep(clock, choices.below(60));
    const node = pick([...alive], choices);
    const key = pick(KEYS, choices);
    if (node === undefined || key === undefined) continue;
    const floor = history.floor(key);
    const writeId = parseWriteId(`c${number}-${i}`);
    const operation = async (): Promise<void> => {
      const dice = choices.below(10);
      if (dice < 5) return history.read(key, floor, (await node.get(key)).version);
      const write = dice < 9 ? node.put(key, writeId, { writeId }) : node.delete(key, { writeId });
      history.acknowledged(key, floor, (await write).version.stamp);
    };
    const ended = operation().catch((error: unknown) => {
      if (!(error instanceof KvError)) throw error;
      if (error.code.startsWith("write") && error.outcome === "not-applied") {
        history.notApplied(writeId);
      }
    });
    await Promise.race([ended, sleep(clock, GIVE_UP_MS)]);
  }
}

async function faults({ cluster, alive, rng }: Run): Promise<void> {
  const choices = rng.fork("faults");
  const clock = cluster.time.clock();
  for (let i = 0; i < FAULTS; i++) {
    await sleep(clock, choices.below(150));
    const node = pick(cluster.nodes, choices);
    const other = pick(cluster.nodes, choices);
    if (node === undefined || other === undefined || !alive.has(node)) continue;
    switch (choices.below(6)) {
      case 0:
        cluster.network.cut(node.id, other.id);
        break;
      case 1:
        for (const peer of cluster.nodes) cluster.heal([node], [peer]);
        break;
      case 2:
        node.disk.rotateLog();
        node.clock.wallOffsetMs += choices.below(20_000) - 10_000;
        break;
      case 3:
        node.clock.pause();
        await sleep(clock, choices.below(400));
        node.clock.resume();
        break;
      default: {
        alive.delete(node);
        if (choices.below(2) === 0) node.kill();
        else node.losePower((unsynced) => choices.below(unsynced + 1));
        await sleep(clock, choices.below(200));
        await node.start();
        alive.add(node);
      }
    }
  }
}

/** All faults over: every node tells the same, nothing older than before, nothing never applied. */
async function calm({ cluster, history }: Run): Promise<void> {
  cluster.fate = () => [LATENCY_MS];
  for (const node of cluster.nodes) cluster.heal([node], cluster.nodes);
  await cluster.connected();
  await cluster.time.advance(2_000);
  for (const key of KEYS) {
    for (const node of cluster.nodes) {
      const floor = history.floor(key);
      history.read(key, floor, (await cluster.run(node.get(key, { r: "all" }))).version);
      const writeId = node.record(key)?.version.writeId;
      if (writeId !== undefined) history.seen(writeId);
    }
  }
}

function pick<T>(from: readonly T[], rng: SeededRng): T | undefined {
  return from.length === 0 ? undefined : from[rng.below(from.length)];
}

describe("N=3 R=W=2 under losses, delays, cuts, pauses, crashes, power losses and skewed clocks", () => {
  test(
    `reads and acknowledged writes of a key are ordered as they happened (${SEEDS} seeds)`,
    async () => {
      for (let seed = 0; seed < SEEDS; seed++) {
        const { violations } = await simulate(seed);
        expect(violations.map((violation) => `seed ${seed}: ${violation}`)).toEqual([]);
      }
    },
    RUN_TIMEOUT_MS,
  );

  test("the same seed gives the same run", async () => {
    const trace = async (): Promise<readonly unknown[]> => {
      const cluster = await VirtualCluster.open({ seed: 7 });
      const net = new SeededRng("net");
      cluster.fate = () => [net.below(20)];
      const writes = ["a", "b", "c"].map((key, i) => cluster.node(i + 1).put(key, key));
      const written = await cluster.run(Promise.all(writes));
      return [cluster.requests, written.map(({ version }) => version), cluster.time.now()];
    };
    expect(await trace()).toEqual(await trace());
  });
});
