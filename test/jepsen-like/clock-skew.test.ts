import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { KvClient } from "../../src/client/client.ts";
import { buildOf } from "../support/build-of.ts";
import { startCluster } from "../support/cluster.ts";
import { needs } from "../support/needs.ts";
import { textOf } from "../support/reading.ts";

const WRITES = 300;
const KEYS = 10;
const OFFSETS = new Map([
  ["n1", "+60s"],
  ["n2", "+0s"],
  ["n3", "-60s"],
]);

/** libfaketime moves the wall clock that a process sees and leaves its monotonic clock alone. */
function skewed(offset: string): Record<string, string> {
  const library = ["x86_64-linux-gnu", "aarch64-linux-gnu"]
    .map((triple) => `/usr/lib/${triple}/faketime/libfaketimeMT.so.1`)
    .find((path) => existsSync(path));
  if (library === undefined) throw new Error("libfaketimeMT.so.1 is not where Debian puts it");
  return {
    LD_PRELOAD: library,
    FAKETIME: offset,
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  };
}

/**
 * Writes numbers to a few keys, one after the other, each through another node, and reads each back
 * through yet another.
 * @returns how many reads found another value than the one acknowledged last.
 */
async function reorderedWrites(mutant: string | undefined): Promise<number> {
  const { execArgv, env } = buildOf(mutant);
  const cluster = await startCluster({
    nodes: 3,
    execArgv,
    nodeEnv: (id) => ({
      ...skewed(OFFSETS.get(id) ?? "+0s"),
      // Or all three would refuse: each differs from the two others.
      KV_CLOCK_OFFSET_MAX_MS: "86400000",
      ...env,
    }),
  });
  const clients = Object.values(cluster.nodes).map(
    ({ url }) => new KvClient({ endpoints: [url], attemptsMax: 1 }),
  );
  let reordered = 0;
  try {
    for (let i = 0; i < WRITES; i++) {
      const writer = clients[i % clients.length];
      const reader = clients[(i + 1) % clients.length];
      if (writer === undefined || reader === undefined) throw new Error("no clients");
      const key = `key-${i % KEYS}`;
      await writer.put(key, String(i), { w: 2 });
      if (textOf(await reader.get(key, { r: 2 })) !== String(i)) reordered += 1;
    }
  } finally {
    await Promise.all(clients.map((client) => client.close()));
    await cluster.stop();
  }
  return reordered;
}

describe.skipIf(!needs("faketime"))("wall clocks at +60 s, 0 and -60 s", () => {
  test(`${WRITES} acknowledged, non-overlapping writes end in their real order (N=3 R=W=2)`, async () => {
    expect(await reorderedWrites(undefined)).toBe(0);
  });

  test("the same writes are reordered by a build without the learn round", async () => {
    expect(await reorderedWrites("learn-round-skipped")).toBeGreaterThan(0);
  });
});
