import type { Command } from "commander";
import type { QuorumChoice } from "../../client/call-options.ts";
import { exitCodeOfAll } from "../exit-code.ts";
import { endpointsOf } from "../global-options.ts";
import { addBucketOptions, addReadQuorum, wholeNumber } from "../key-options.ts";
import type { KeyFlags } from "../key-options.ts";
import { errorLine } from "../output.ts";
import type { KvCommand } from "../kv-command.ts";
import type { Settle } from "../settle.ts";
import { exportRows } from "../rows/export-rows.ts";
import type { ExportTally } from "../rows/export-rows.ts";
import { Progress } from "../rows/progress.ts";
import { ROW_TIMEOUT_MS, openRowClient } from "../rows/row-client.ts";
import { rowText } from "../rows/row.ts";
import { openSink } from "../rows/sink.ts";
import { openSource } from "../rows/source.ts";
import type { Shell } from "../shell.ts";

interface ExportFlags extends KeyFlags {
  readonly keys: string;
  readonly r?: QuorumChoice;
  readonly concurrency: number;
}

export function addExport(program: KvCommand, shell: Shell, settle: Settle): void {
  const command = program
    .command("export")
    .argument("<FILE>", "file to write, - for stdout")
    .summary("read the values of listed keys into a file")
    .description(
      `Reads the values of the keys that --keys lists, and writes them as rows that
kv import reads.

The keys are one line of JSON each, with "bucket" if it is not the one of -b, as
kv ls -o jsonl prints them:
  {"key": "a"}
  {"bucket": "default", "key64": "AP8"}
The rows of an import name keys too: --keys cities.jsonl exports what
kv import cities.jsonl stored, byte for byte. Keys without a value are counted and left out.
A key that cannot be read is listed, and the exit code is not 0.`,
    )
    .requiredOption("--keys <FILE>", "file of the keys to export, - for stdin");
  addReadQuorum(addBucketOptions(command))
    .option("--concurrency <COUNT>", "keys read at once", wholeNumber, 64)
    .examples(
      "kv ls -o jsonl | kv export copy.jsonl --keys -",
      "kv export copy.jsonl --keys cities.jsonl",
      'printf \'{"key":"greeting"}\' | kv export - --keys -',
    );
  command.action(
    settle(async (output, file: string, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<ExportFlags>();
      const { r, concurrency, timeout = ROW_TIMEOUT_MS, quiet } = flags;
      const { signal } = shell;
      const endpoints = endpointsOf(flags);
      await using source = await openSource(flags.keys, shell);
      const { bytes, lines } = source;
      await using client = await openRowClient({ endpoints, concurrency, signal });
      const sink = await openSink(file, shell);
      const progress = await Progress.open({ bytes, verb: "export", quiet: quiet === true }, shell);
      try {
        const tally = await exportRows(lines, client, {
          bucket: flags.bucket,
          r,
          timeoutMs: timeout,
          concurrency,
          signal,
          onRow: (row) => sink.write(`${rowText(row)}\n`),
          onFailed: (line, error) =>
            progress.warn(output, `line ${line.number}: ${errorLine(error)}`),
          onLine: (line) => progress.line(line),
        });
        await sink.commit();
        progress.close();
        if (output.forPrograms && file !== "-") await output.json(jsonOf(tally));
        else await output.note(summaryOf(tally, progress.rowsPerSecond()));
        return exitCodeOfAll(tally.exitCodes);
      } catch (error) {
        await sink.discard();
        throw signal.aborted ? signal.reason : error;
      } finally {
        progress.close();
      }
    }),
  );
}

function jsonOf({ exported, missing, failed }: ExportTally) {
  return { exported, missing, failed };
}

function summaryOf({ exported, missing, failed }: ExportTally, rowsPerSecond: number): string {
  return `exported ${exported}, missing ${missing}, failed ${failed}, ${rowsPerSecond} rows/s`;
}
