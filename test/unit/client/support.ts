import { KvError } from "../../../src/client/client.ts";
import type { ClientModules } from "../../../src/client/client.ts";

export async function errorOf(promise: Promise<unknown>): Promise<KvError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof KvError) return error;
  throw new Error(`expected a KvError, got ${String(error)}`);
}

/** Sleeps take no time and are remembered; endpoints are asked in the order given. */
export function instant(): { slept: number[]; modules: Partial<ClientModules> } {
  const slept: number[] = [];
  const sleep = (ms: number) => {
    slept.push(ms);
    return Promise.resolve();
  };
  return { slept, modules: { sleep, random: () => 0 } };
}
