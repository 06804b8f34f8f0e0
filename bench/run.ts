/**
 * `npm run bench`: what a quorum costs. CPU time of all node processes per GET (R=2) and per fsynced
 * PUT (W=2) of three nodes, over that of a bare `node:http` server that stores nothing, measured in
 * turns in one run: the machine's speed cancels out, the ratio stays. The load goes to one node.
 */
import { parseArgs } from "node:util";
import { drive, fill, hasWrk } from "./load.ts";
import type { LoadResult } from "./load.ts";
import { startBareServer, startCluster } from "./servers.ts";
import type { Contender } from "./servers.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "3" },
    port: { type: "string", default: "17080" },
  },
});
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);

interface Sample extends LoadResult {
  readonly cpuMicros: number;
}

async function sample(contender: Contender, script: "get" | "put"): Promise<Sample> {
  const before = await contender.cpuSeconds();
  const load = await drive(contender.url, script, seconds);
  const spent = (await contender.cpuSeconds()) - before;
  return { ...load, cpuMicros: (spent * 1e6) / load.requests };
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

function row(cells: readonly string[]): void {
  console.log(cells.map((cell, i) => (i === 0 ? cell.padEnd(24) : cell.padStart(11))).join(""));
}

async function main(): Promise<void> {
  if (!hasWrk()) {
    throw new Error(
      "this benchmark drives the servers with wrk, which is not on PATH (Debian: apt-get install wrk)",
    );
  }
  const bare = await startBareServer();
  const cluster = await startCluster(Number(values.port)).catch(async (error: unknown) => {
    await bare.stop();
    throw error;
  });
  const samples = new Map<string, Sample[]>();
  const take = async (name: string, contender: Contender, script: "get" | "put"): Promise<void> => {
    samples.set(name, [...(samples.get(name) ?? []), await sample(contender, script)]);
  };
  try {
    await fill(cluster.url);
    await drive(cluster.url, "put", 1);
    await drive(bare.url, "put", 1);
    for (let round = 0; round < rounds; round++) {
      await take("bare PUT", bare, "put");
      await take("quorum PUT, fsync, W=2", cluster, "put");
      await take("bare GET", bare, "get");
      await take("quorum GET, R=2", cluster, "get");
    }
  } finally {
    await cluster.stop();
    await bare.stop();
  }
  console.log(
    `medians of ${rounds} rounds of ${seconds} s, 64 connections to one node, values of 100 bytes, 10,000 keys`,
  );
  row(["", "requests/s", "p50", "p99", "CPU µs/req", "errors"]);
  const cost = new Map<string, number>();
  for (const [name, taken] of samples) {
    const middle = taken.toSorted((a, b) => a.perSecond - b.perSecond)[
      Math.floor(taken.length / 2)
    ];
    const cpuMicros = median(taken.map((one) => one.cpuMicros));
    cost.set(name, cpuMicros);
    const errors = taken.reduce((sum, one) => sum + one.errors, 0);
    row([
      name,
      median(taken.map((one) => one.perSecond)).toFixed(0),
      middle?.p50 ?? "",
      middle?.p99 ?? "",
      cpuMicros.toFixed(1),
      String(errors),
    ]);
  }
  const ratio = (over: string, under: string): string =>
    ((cost.get(over) ?? Number.NaN) / (cost.get(under) ?? Number.NaN)).toFixed(2);
  console.log(`CPU, quorum GET over bare GET: ${ratio("quorum GET, R=2", "bare GET")}×`);
  console.log(`CPU, quorum PUT over bare PUT: ${ratio("quorum PUT, fsync, W=2", "bare PUT")}×`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
