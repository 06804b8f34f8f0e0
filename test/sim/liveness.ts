import type { Operation } from "../../src/checker/history.ts";
import { attempt } from "./attempt.ts";
import type { Plan } from "./attempt.ts";
import type { World } from "./world.ts";

/** What a whole cluster owes its clients: virtual time and attempts within which it succeeds. */
const WHOLE_MS_MAX = 500;
const WHOLE_ATTEMPTS_MAX = 2;
const PUT_AND_GET = ["put", "get"] as const;
const GET_AND_PUT = ["get", "put"] as const;

/**
 * After everything was mended, each node writes and reads a key at once: an operation that still
 * fails or waits is stuck on a fault that is over.
 */
export async function checkWhole(world: World, keys: readonly string[]): Promise<void> {
  const { machines, scenario, liveness } = world;
  for (const [i, machine] of machines.entries()) {
    const key = keys[i % Math.max(1, keys.length)];
    if (key === undefined) return;
    let context: string | undefined;
    // Where contexts are asked for, or siblings limited, a put is one that has read.
    const kinds = scenario.siblings === undefined ? PUT_AND_GET : GET_AND_PUT;
    for (const kind of kinds) {
      const id = `${scenario.seed}.whole.${machine.id}`;
      const plan: Plan = {
        kind,
        key,
        writeId: id,
        value: id,
        ttlSeconds: undefined,
        r: scenario.r,
        w: scenario.w,
        durability: "sync",
        timeoutMs: WHOLE_MS_MAX,
        attempt: 1,
        context,
      };
      liveness.examine();
      const done = await success(world, { plan, machine, client: scenario.clients + i });
      context = done?.causality?.context;
      // So many actors wrote it that it takes no more writes, which is a bound of the product.
      if (done !== undefined || world.crowdedKeys.has(key)) continue;
      liveness.violation(
        key,
        world.operations.slice(-WHOLE_ATTEMPTS_MAX),
        () =>
          `A ${kind} through ${machine.id} did not succeed in ${WHOLE_ATTEMPTS_MAX} attempts of ${WHOLE_MS_MAX} ms ` +
          `although nothing is broken any more.`,
      );
    }
  }
}

async function success(
  world: World,
  { plan, ...by }: Parameters<typeof attempt>[1],
): Promise<Operation | undefined> {
  for (let number = 1; number <= WHOLE_ATTEMPTS_MAX; number++) {
    const again = { ...by, plan: { ...plan, attempt: number } };
    const operation = await world.time.settled(attempt(world, again));
    if (operation.outcome === "ok") return operation;
  }
  return undefined;
}
