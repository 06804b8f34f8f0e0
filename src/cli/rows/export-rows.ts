import type { KvClient } from "../../client/client.ts";
import type { GetOptions } from "../../client/call-options.ts";
import { exitCodeOf } from "../exit-code.ts";
import { hasSiblings } from "../has-siblings.ts";
import type { Line } from "./lines.ts";
import { ordered } from "./ordered.ts";
import { parseKeyRow } from "./row.ts";
import type { Row } from "./row.ts";

export interface ExportOptions extends Pick<GetOptions, "r" | "timeoutMs"> {
  readonly bucket: string;
  readonly concurrency: number;
  readonly signal: AbortSignal;
  readonly onRow: (row: Row) => Promise<void>;
  readonly onFailed: (line: Line, error: unknown) => Promise<void>;
  /** After each line, whatever became of it. */
  readonly onLine: (line: Line) => void;
}

/** What became of the keys. */
export class ExportTally {
  exported = 0;
  /** The key has no value: it was deleted, or never written. */
  missing = 0;
  failed = 0;
  /** Exit codes of the failures. */
  readonly exitCodes = new Set<number>();
}

type Read = { readonly line: Line } & (
  | { readonly row: Row | undefined }
  | { readonly error: unknown }
);

/** Reads the key of each line and hands the rows on in the order of the lines. */
export async function exportRows(
  lines: AsyncIterable<Line>,
  client: KvClient,
  options: ExportOptions,
): Promise<ExportTally> {
  const tally = new ExportTally();
  const { r, timeoutMs, signal } = options;
  const read = async (line: Line): Promise<Read> => {
    try {
      const { key, bucket = options.bucket } = parseKeyRow(line);
      const reading = await client.get(key, { bucket, r, timeoutMs, signal });
      if (reading.kind === "siblings") throw hasSiblings(reading);
      return { line, row: reading.kind === "absent" ? undefined : { bucket, key, ...reading } };
    } catch (error) {
      return { line, error };
    }
  };
  for await (const result of ordered(lines, options.concurrency, read)) {
    signal.throwIfAborted();
    if ("error" in result) {
      tally.failed += 1;
      tally.exitCodes.add(exitCodeOf(result.error));
      await options.onFailed(result.line, result.error);
    } else if (result.row === undefined) {
      tally.missing += 1;
    } else {
      await options.onRow(result.row);
      tally.exported += 1;
    }
    options.onLine(result.line);
  }
  return tally;
}
