import { hasCode, KvError } from "../core/errors.ts";
import type {
  AskOptions,
  DeleteOptions,
  GetOptions,
  Merge,
  PutOptions,
  UpdateOptions,
} from "./call-options.ts";
import type { ClientModules } from "./options.ts";
import { contentsOf } from "./reading.ts";
import type { Reading } from "./reading.ts";
import type { Written } from "./results.ts";

const ROUNDS_MAX = 4;
/** Upper bound of the first pause between rounds; it doubles. */
const PAUSE_MS = 20;

type Key = string | Uint8Array;

interface Calls {
  readonly get: (key: Key, options: GetOptions) => Promise<Reading>;
  readonly put: (key: Key, value: string | Uint8Array, options: PutOptions) => Promise<Written>;
  readonly delete: (key: Key, options: DeleteOptions) => Promise<Written>;
}

/**
 * Reads, merges and writes with the context of what was read, so the write supersedes what the merge
 * has seen and nothing else. Again when the write was refused because of what others wrote meanwhile:
 * that and only that proves that another round is not a second effect.
 *
 * @returns undefined when the merge left the key as it is.
 */
export async function update(
  key: Key,
  merge: Merge,
  {
    options,
    calls,
    modules,
  }: { options: UpdateOptions & { timeoutMs: number }; calls: Calls; modules: ClientModules },
): Promise<Written | undefined> {
  const { bucket, r, roundsMax = ROUNDS_MAX, timeoutMs, signal, ...write } = options;
  const deadline = modules.now() + timeoutMs;
  const limits = (): AskOptions => ({ timeoutMs: Math.max(1, deadline - modules.now()), signal });
  for (let round = 1; ; round++) {
    const reading = await calls.get(key, { bucket, r, ...limits() });
    const { context } = reading;
    if (context === undefined) throw keepsOneVersion(bucket);
    const merged = await merge(contentsOf(reading));
    if (merged === undefined) return undefined;
    if (modules.now() >= deadline) {
      throw new KvError(
        "write-unavailable",
        "reading and merging took all the time; nothing was sent",
      );
    }
    const common = { bucket, w: write.w, durability: write.durability, context };
    try {
      if (merged === null) return await calls.delete(key, { ...common, ...limits() });
      return await calls.put(key, merged, { ...write, ...common, ...limits() });
    } catch (error) {
      const pauseMs = modules.random() * PAUSE_MS * 2 ** Math.min(round - 1, 10);
      const isLast = round >= roundsMax || modules.now() + pauseMs >= deadline;
      if (isLast || !isOvertaken(error)) throw error;
      await modules.sleep(pauseMs, signal);
    }
  }
}

/** Too much was written since the read, or its context was sealed under a secret that is no longer in use. */
function isOvertaken(error: unknown): boolean {
  return hasCode(error, "too-many-siblings", "context-invalid") && error.outcome === "not-applied";
}

function keepsOneVersion(bucket = "default"): KvError {
  return new KvError(
    "bucket-mode-unfit",
    `bucket '${bucket}' keeps a single version of a key: of two updates at a time one would be lost`,
  );
}
