import { describe, expect, test } from "vitest";
import type { Config } from "../../../../src/core/config.ts";
import { sleep } from "../../../../src/ports/clock.ts";
import type { Message } from "../../../../src/testing/in-process-network.ts";
import { LATENCY_MS, VirtualCluster } from "../../../support/virtual-cluster.ts";
import type { SentRequest } from "../../../support/virtual-cluster.ts";
import type { VirtualNode } from "../../../support/virtual-node.ts";

const CLIENTS = 8;
const THINK_MS = 20;
/** Far more than an operation takes in peace: about 5 ms. */
const SLOW_MS = 60;
const FAULT_AT_MS = 1_000;
const FAULT_MS = 4_000;
/** From the end of the fault to the end of the run. */
const CALM_MS = 7_000;
/** A peer that was late, not just silent, is not believed before. */
const BACK_WITHIN_MS = 6_000;

interface Ended {
  readonly at: number;
  readonly tookMs: number;
  readonly error: string | undefined;
}

interface Run {
  readonly cluster: VirtualCluster;
  /** Times count from the beginning of the fault. */
  readonly ended: readonly Ended[];
  /** What n3 was asked. */
  readonly requests: readonly SentRequest[];
}

type Fault = (cluster: VirtualCluster, sick: VirtualNode) => () => void;

/** Clients on n1 and n2, half of their operations reads, while `fault` befalls n3 for a while. */
async function underLoad(fault: Fault, options: Partial<Config> = {}): Promise<Run> {
  const cluster = await VirtualCluster.open({ options });
  const { time } = cluster;
  const faultAt = time.now() + FAULT_AT_MS;
  const ended: Ended[] = [];
  const clock = time.clock();
  const client = async (number: number): Promise<void> => {
    const choices = cluster.rng.fork("client").fork(number);
    const node = cluster.node(1 + (number % 2));
    while (time.now() < faultAt + FAULT_MS + CALM_MS) {
      await sleep(clock, choices.below(2 * THINK_MS));
      const key = `key-${choices.below(50)}`;
      const at = time.now();
      const operation = choices.below(2) === 0 ? node.get(key) : node.put(key, `at ${at}`);
      const error = await operation.then(
        () => undefined,
        (thrown: unknown) => String(thrown),
      );
      ended.push({ at: at - faultAt, tookMs: time.now() - at, error });
    }
  };
  const clients = Promise.all(Array.from({ length: CLIENTS }, (_, i) => client(i)));
  await time.advance(FAULT_AT_MS);
  const mend = fault(cluster, cluster.node(3));
  await time.advance(FAULT_MS);
  mend();
  await cluster.run(clients);
  const requests = cluster.requests
    .filter(({ to }) => to === "n3")
    .map((request) => ({ ...request, at: request.at - faultAt }));
  return { cluster, ended, requests };
}

/** Loses messages until it is mended. */
const losing =
  (isLost: (cluster: VirtualCluster, sick: VirtualNode, message: Message) => boolean): Fault =>
  (cluster, sick) => {
    cluster.fate = (message) => (isLost(cluster, sick, message) ? [] : [LATENCY_MS]);
    return () => {
      cluster.fate = () => [LATENCY_MS];
    };
  };

function expectNoErrors({ ended }: Run): void {
  expect(ended.length).toBeGreaterThan(2_500);
  expect(ended.filter(({ error }) => error !== undefined)).toEqual([]);
}

/** At most so many operations took longer than a client should notice, the last by then. */
function expectSlow(
  { ended }: Run,
  bounds: { readonly most: number; readonly untilMs: number },
): void {
  const slow = ended.filter(({ tookMs }) => tookMs > SLOW_MS);
  expect(slow.length).toBeLessThanOrEqual(bounds.most);
  expect(Math.max(0, ...slow.map(({ at, tookMs }) => at + tookMs))).toBeLessThan(bounds.untilMs);
}

/** When n3 was chosen although others could be asked: writes go to everybody. */
function chosenAt({ requests }: Run): readonly number[] {
  return requests.flatMap(({ kind, at }) => (kind === "write" ? [] : [at]));
}

/** Within 2 s nobody asks it first any more; as a spare it is asked by less than 1 in 100 operations. */
function expectAvoided(run: Run): void {
  const isThen = (at: number): boolean => at > 2_000 && at < FAULT_MS;
  const operations = run.ended.filter(({ at }) => isThen(at));
  expect(chosenAt(run).filter(isThen).length).toBeLessThan(operations.length / 100);
}

function expectBack(run: Run): void {
  expect(chosenAt(run).filter((at) => at > FAULT_MS + BACK_WITHIN_MS).length).toBeGreaterThan(50);
}

describe("n3 is sick under 8 clients on n1 and n2 (N=3 R=W=2): no operation fails", () => {
  test("paused: one slow operation a client, in the first half second; its return is no event", async () => {
    const run = await underLoad((_cluster, sick) => {
      sick.clock.pause();
      return () => sick.clock.resume();
    });
    expectNoErrors(run);
    expectSlow(run, { most: CLIENTS, untilMs: 500 });
    expectAvoided(run);
    expectBack(run);
    const suspicions = run.cluster.nodes.map(({ telemetry }) =>
      run.cluster.nodes.map(({ id }) => telemetry.count("suspicions", id)),
    );
    // The healthy ones suspected it, once, and never each other; it suspects nobody for its own pause.
    expect(suspicions).toEqual([
      [0, 0, 1],
      [0, 0, 1],
      [0, 0, 0],
    ]);
  });

  test.each([
    ["what it says", (id: string, from: string) => from === id],
    ["what is said to it", (id: string, _from: string, to: string) => to === id],
    ["both", (id: string, from: string, to: string) => from === id || to === id],
  ] as const)(
    "cut off silently, %s is lost: one slow operation a client",
    async (_what, isLost) => {
      const run = await underLoad(losing((_cluster, { id }, { from, to }) => isLost(id, from, to)));
      expectNoErrors(run);
      expectSlow(run, { most: CLIENTS, untilMs: 500 });
      expectAvoided(run);
      expectBack(run);
    },
  );

  test.each([100, 300, 500, 900])(
    "slow, whatever it says takes %i ms: two slow operations a client",
    async (ms) => {
      const run = await underLoad((cluster, sick) => {
        cluster.fate = ({ from }) => [from === sick.id ? ms : LATENCY_MS];
        return () => {
          cluster.fate = () => [LATENCY_MS];
        };
      });
      expectNoErrors(run);
      expectSlow(run, { most: 2 * CLIENTS, untilMs: 2_000 });
      expectAvoided(run);
      expectBack(run);
    },
  );

  test("flapping, silent for 400 ms and well for 400 ms: one slow operation a client and silence", async () => {
    const isSilent = ({ time }: VirtualCluster): boolean => Math.floor(time.now() / 400) % 2 === 0;
    const run = await underLoad(
      losing((cluster, sick, { from }) => from === sick.id && isSilent(cluster)),
      { requestTimeoutMs: 1_000 },
    );
    expectNoErrors(run);
    const silences = Math.ceil(FAULT_MS / 800) + 1;
    expectSlow(run, { most: silences * CLIENTS, untilMs: FAULT_MS + 500 });
  });

  test("its disk hangs, so it answers heartbeats and nothing else: two slow operations a client", async () => {
    const run = await underLoad(
      (_cluster, sick) => {
        sick.disk.pause = () => new Promise(() => {});
        return () => {};
      },
      { recordCacheBytes: 0 },
    );
    expectNoErrors(run);
    expectSlow(run, { most: 2 * CLIENTS, untilMs: FAULT_MS });
  });

  test("silent but connected: 3 requests a node until their deadlines, as peerSuspectInFlightMax says", async () => {
    const run = await underLoad(
      (_cluster, sick) => {
        sick.clock.pause();
        return () => sick.clock.resume();
      },
      { peerSuspectInFlightMax: 3, peerSilenceMs: 60_000, requestTimeoutMs: 30_000 },
    );
    expectNoErrors(run);
    // Those that were under way when it fell silent, and then none: each of them is more than 3.
    expect(run.requests.filter(({ at }) => at > 1_000 && at < FAULT_MS)).toEqual([]);
    for (const { telemetry } of run.cluster.nodes.slice(0, 2)) {
      expect(telemetry.count("refused", "peerSuspectInFlightMax")).toBeGreaterThan(100);
    }
  });
});
