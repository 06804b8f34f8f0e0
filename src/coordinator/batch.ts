import { KvError } from "../core/errors.ts";
import type { BatchItem, BatchResult, Operations, ReadResult } from "../ports/operations.ts";
import type { Clock, Instant } from "../ports/clock.ts";
import type { Telemetry } from "../ports/telemetry.ts";

/** Items of one batch under way at a time: the node's other clients want to be served too. */
const ITEMS_AT_ONCE = 16;
/** Values in one answer. What is under way when it is reached still comes on top. */
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;

interface BatchPlan {
  readonly items: readonly BatchItem[];
  readonly deadline: Instant;
}

interface BatchModules {
  readonly clock: Clock;
  readonly operations: Pick<Operations, "read" | "write">;
  readonly telemetry: Telemetry;
}

/**
 * Runs the items beside each other, each as an operation of its own with what is left of the batch's
 * time. One that fails is a result like the others: it says nothing of them.
 */
export async function batch(
  { items, deadline }: BatchPlan,
  modules: BatchModules,
): Promise<readonly BatchResult[]> {
  const { clock, operations, telemetry } = modules;
  const results: BatchResult[] = [];
  const left = items.entries();
  let bytes = 0;
  const run = async (item: BatchItem): Promise<BatchResult> => {
    // At least 1: an item that is too late is told so by the operation itself, which does no work.
    const timeoutMs = Math.max(1, deadline - clock.now());
    if (item.kind === "write") {
      return { kind: "write", result: await operations.write({ ...item, timeoutMs }) };
    }
    if (bytes >= ANSWER_BYTES_MAX) {
      telemetry.metrics.refused.with("batchAnswerBytesMax").add();
      throw new KvError("batch-too-large", "the values before it fill the answer; ask for it anew");
    }
    const result = await operations.read({ ...item, timeoutMs });
    bytes += bytesOf(result);
    return { kind: "read", result };
  };
  const work = async (): Promise<void> => {
    for (const [at, item] of left) {
      try {
        results[at] = await run(item);
      } catch (error) {
        results[at] = { kind: "failed", error: known(error, telemetry) };
      }
    }
  };
  await Promise.all(Array.from({ length: ITEMS_AT_ONCE }, work));
  return results;
}

function bytesOf({ version, siblings }: ReadResult): number {
  const versions = siblings.length > 0 ? siblings.map((one) => one.version) : [version];
  return versions.reduce((sum, one) => sum + (one?.content?.value.byteLength ?? 0), 0);
}

/** A bug in one item must not hide what became of the others. */
function known(error: unknown, { log }: Telemetry): KvError {
  if (error instanceof KvError) return error;
  log.error({ err: error }, "bug in an item of a batch");
  return new KvError("internal", "an internal error; the log has more", {}, { cause: error });
}
