import type { KvClient } from "../../client/client.ts";
import { openClient } from "../global-options.ts";

/** Long enough to sit out the restart of a node. */
export const ROW_TIMEOUT_MS = 30_000;
/** A row's time ends its attempts; how many rows are under way bounds the load, not a budget. */
const PATIENCE = { attemptsMax: 1_000, retryRatio: 1, attemptTimeoutMs: 5_000 };
const REACH_TIMEOUT_MS = 2_000;

/**
 * A client that waits out short failures. That no endpoint is there at all is found out before, or
 * a mistyped one would cost the patience of a row. @throws KvError `unreachable`.
 */
export async function openRowClient({
  endpoints,
  concurrency,
  signal,
}: {
  endpoints: readonly string[];
  concurrency: number;
  signal: AbortSignal;
}): Promise<KvClient> {
  const client = await openClient({ ...PATIENCE, endpoints, retryBurst: concurrency });
  const options = { signal, timeoutMs: REACH_TIMEOUT_MS };
  try {
    await Promise.any(endpoints.map((endpoint) => client.ready(endpoint, options)));
    return client;
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  }
}
