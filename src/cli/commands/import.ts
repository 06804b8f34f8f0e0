import type { Command } from "commander";
import { exitCodeOf, exitCodeOfAll } from "../exit-code.ts";
import { endpointsOf } from "../global-options.ts";
import { addBucketOptions, addWriteOptions, wholeNumber } from "../key-options.ts";
import type { WriteFlags } from "../key-options.ts";
import { errorLine } from "../output.ts";
import type { Output } from "../output.ts";
import type { KvCommand } from "../kv-command.ts";
import type { Settle } from "../settle.ts";
import { importRows } from "../rows/import-rows.ts";
import type { ImportTally } from "../rows/import-rows.ts";
import { Progress } from "../rows/progress.ts";
import { ROW_TIMEOUT_MS, openRowClient } from "../rows/row-client.ts";
import { openSource } from "../rows/source.ts";
import type { Shell } from "../shell.ts";

interface ImportFlags extends WriteFlags {
  readonly concurrency: number;
}

export function addImport(program: KvCommand, shell: Shell, settle: Settle): void {
  const command = program
    .command("import")
    .argument("<FILE>", "file of rows, - for stdin")
    .summary("store the rows of a file")
    .description(
      `Stores every row of a file. A row is one line of JSON:
  {"key": "a", "value": "text"}
  {"bucket": "default", "key64": "AP8", "value64": "iVBORw0=", "contentType": "image/png"}
key64 and value64 are base64 and can hold any bytes; contentType and
contentEncoding are optional.

A row that fails is tried again under the same write id for as long as
--timeout (30 s). A row refused for good is listed with its line number, the
rest is imported, and the exit code is not 0. Rows of one key are stored in the
order of the file, so importing a file again changes nothing.`,
    );
  addWriteOptions(addBucketOptions(command))
    .option("--concurrency <COUNT>", "rows under way at once", wholeNumber, 64)
    .examples(
      "kv import cities.jsonl",
      "zcat cities.jsonl.gz | kv import - -e http://n1:7080,http://n2:7080",
    );
  command.action(
    settle(async (output, file: string, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<ImportFlags>();
      const { bucket, w, durability, concurrency, timeout = ROW_TIMEOUT_MS, quiet } = flags;
      const { signal } = shell;
      const endpoints = endpointsOf(flags);
      await using source = await openSource(file, shell);
      const { bytes, lines } = source;
      await using client = await openRowClient({ endpoints, concurrency, signal });
      const progress = await Progress.open({ bytes, verb: "import", quiet: quiet === true }, shell);
      const tally = await importRows(lines, client, {
        bucket,
        w,
        durability,
        concurrency,
        timeoutMs: timeout,
        signal,
        onLine: (line) => progress.line(line),
        onRefused: (line, error) =>
          progress.warn(output, `line ${line.number}: ${errorLine(error)}`),
      });
      progress.close();
      await tell(output, tally, progress.rowsPerSecond());
      return exitCodeAfter(tally);
    }),
  );
}

async function tell(output: Output, tally: ImportTally, rowsPerSecond: number): Promise<void> {
  const { imported, retried, refused, stopped } = tally;
  if (stopped !== undefined) {
    await output.warn(
      `stopped before the end: ${errorLine(stopped)}; the remaining rows were not tried`,
    );
  }
  if (output.format !== "table") {
    await output.json({
      imported,
      retried,
      refused,
      rowsPerSecond,
      complete: stopped === undefined,
    });
    return;
  }
  await output.data(
    `imported ${imported}, retried ${retried}, refused ${refused}, ${rowsPerSecond} rows/s\n`,
  );
}

function exitCodeAfter({ stopped, exitCodes }: ImportTally): number {
  return stopped === undefined ? exitCodeOfAll(exitCodes) : exitCodeOf(stopped);
}
