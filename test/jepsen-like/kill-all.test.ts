import { afterEach, describe, expect, test } from "vitest";
import { KvClient } from "../../src/client/client.ts";
import { startCluster } from "../support/cluster.ts";
import type { Cluster } from "../support/cluster.ts";
import { textOf } from "../support/reading.ts";

const WRITERS = 48;
/** Acknowledged writes of each round before the nodes are killed. */
const ACKNOWLEDGED_BEFORE_KILL = 3_000;
const ROUNDS = 3;

let cluster: Cluster | undefined;
afterEach(async () => {
  await cluster?.stop();
  cluster = undefined;
});

/** The values that a key may hold afterwards: the last acknowledged one, or one attempted later. */
interface Ledger {
  acknowledged: number;
  attempted: number;
}

/**
 * One writer: numbers one key upwards through all nodes in turn, and never retries, so `attempted`
 * is at most one ahead of what is known. Ends when the nodes are gone.
 */
async function writeUntilKilled(
  client: KvClient,
  key: string,
  ledger: Ledger,
  onAcknowledged: () => void,
): Promise<void> {
  for (;;) {
    ledger.attempted += 1;
    try {
      await client.put(key, String(ledger.attempted));
    } catch {
      return;
    }
    ledger.acknowledged = ledger.attempted;
    onAcknowledged();
  }
}

describe("all nodes killed at once", () => {
  test(`every write acknowledged under load is there after the restart (N=3 R=W=2, ${ROUNDS} rounds)`, async () => {
    cluster = await startCluster({ nodes: 3 });
    const nodes = Object.values(cluster.nodes);
    const endpoints = nodes.map((node) => node.url);
    const ledgers = new Map<string, Ledger>();
    for (let i = 0; i < WRITERS; i++) ledgers.set(`writer-${i}`, { acknowledged: 0, attempted: 0 });

    for (let round = 0; round < ROUNDS; round++) {
      const clients = endpoints.map((url) => new KvClient({ endpoints: [url], attemptsMax: 1 }));
      let acknowledged = 0;
      const enough = new Promise<void>((resolve) => {
        const onAcknowledged = (): void => {
          acknowledged += 1;
          if (acknowledged === ACKNOWLEDGED_BEFORE_KILL) resolve();
        };
        void [...ledgers].map(([key, ledger], i) => {
          const client = clients[i % clients.length];
          if (client === undefined) throw new Error("no client");
          return writeUntilKilled(client, key, ledger, onAcknowledged);
        });
      });
      await enough;
      for (const node of nodes) node.signal("SIGKILL");
      await Promise.all(clients.map((client) => client.close()));
      for (const node of nodes) await node.restart();

      const reader = new KvClient({ endpoints });
      for (const [key, ledger] of ledgers) {
        const value = Number(textOf(await reader.get(key, { r: 2 })) ?? 0);
        expect(value, `${key} after round ${round}`).toBeGreaterThanOrEqual(ledger.acknowledged);
        expect(value, `${key} after round ${round}`).toBeLessThanOrEqual(ledger.attempted);
      }
      await reader.close();
    }
  });
});
