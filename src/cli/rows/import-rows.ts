import type { KvClient } from "../../client/client.ts";
import type { PutOptions } from "../../client/call-options.ts";
import { latin1Text } from "../../core/bytes.ts";
import { KvError } from "../../core/errors.ts";
import { exitCodeOf } from "../exit-code.ts";
import type { Line } from "./lines.ts";
import { parseRow } from "./row.ts";

export interface ImportOptions extends Pick<PutOptions, "w" | "durability" | "timeoutMs"> {
  readonly bucket: string;
  readonly concurrency: number;
  readonly signal: AbortSignal;
  readonly onRefused: (line: Line, error: unknown) => Promise<void>;
  /** After each line, whatever became of it. */
  readonly onLine: (line: Line) => void;
}

/** What became of the rows. */
export class ImportTally {
  imported = 0;
  /** Imported, but not at the first attempt. */
  retried = 0;
  refused = 0;
  /** Exit codes of the refusals. */
  readonly exitCodes = new Set<number>();
  /** Why rows were left untried: the signal's reason, or that no endpoint is there any more. */
  stopped: unknown;
}

/**
 * Writes each line's row; never rejects for a row. Rows of one key are written in the order of the
 * file, so the last one wins, as in a sequential import.
 */
export async function importRows(
  lines: AsyncIterator<Line>,
  client: KvClient,
  options: ImportOptions,
): Promise<ImportTally> {
  const tally = new ImportTally();
  const { signal, concurrency, w, durability, timeoutMs } = options;
  const lastOfKey = new Map<string, Promise<unknown>>();
  const writeRow = async (line: Line): Promise<void> => {
    try {
      const { key, value, bucket = options.bucket, contentType, contentEncoding } = parseRow(line);
      const put = { bucket, w, durability, timeoutMs, signal, contentType, contentEncoding };
      const { attempts } = await inTurn(lastOfKey, `${bucket}/${latin1Text(key)}`, () =>
        client.put(key, value, put),
      );
      tally.imported += 1;
      if (attempts > 1) tally.retried += 1;
    } catch (error) {
      if (signal.aborted) {
        tally.stopped = signal.reason;
        return;
      }
      if (error instanceof KvError && error.code === "unreachable") tally.stopped = error;
      tally.refused += 1;
      tally.exitCodes.add(exitCodeOf(error));
      await options.onRefused(line, error);
    }
    options.onLine(line);
  };
  const worker = async (): Promise<void> => {
    while (tally.stopped === undefined) {
      const next = await nextLine(lines, signal);
      if (next === undefined) break;
      await writeRow(next);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  if (signal.aborted) tally.stopped = signal.reason;
  return tally;
}

async function nextLine(
  lines: AsyncIterator<Line>,
  signal: AbortSignal,
): Promise<Line | undefined> {
  try {
    const next = await lines.next();
    return next.done === true ? undefined : next.value;
  } catch (error) {
    // The abort ended the reading; what it means is the caller's.
    if (signal.aborted) return undefined;
    throw error;
  }
}

/** Waits for the write under the same id before it, if that is still under way. */
async function inTurn<T>(
  lastOfKey: Map<string, Promise<unknown>>,
  id: string,
  write: () => Promise<T>,
): Promise<T> {
  const before = lastOfKey.get(id);
  const own = before === undefined ? write() : before.then(write, write);
  lastOfKey.set(id, own);
  try {
    return await own;
  } finally {
    if (lastOfKey.get(id) === own) lastOfKey.delete(id);
  }
}
