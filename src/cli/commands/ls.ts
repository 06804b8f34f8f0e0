import { Option } from "commander";
import type { Command } from "commander";
import type { QuorumChoice } from "../../client/call-options.ts";
import { base64url, utf8 } from "../../core/bytes.ts";
import { LIST_LIMIT_MAX } from "../../ports/operations.ts";
import { CliError, EXIT } from "../exit-code.ts";
import { endpointsOf, openClient } from "../global-options.ts";
import { addBucketOptions, addReadQuorum, keyOf, wholeNumber } from "../key-options.ts";
import type { KeyFlags } from "../key-options.ts";
import type { KvCommand } from "../kv-command.ts";
import type { Output } from "../output.ts";
import type { Settle } from "../settle.ts";
import type { Shell } from "../shell.ts";

interface LsFlags extends KeyFlags {
  readonly prefix?: string;
  readonly limit?: number;
  readonly r?: QuorumChoice;
}

export function addLs(program: KvCommand, shell: Shell, settle: Settle): void {
  const command = program
    .command("ls")
    .argument("[PREFIX]", "as --prefix")
    .summary("list the keys of a bucket")
    .description(
      `Lists the keys of a bucket in byte order, one a line. A key that is not plain text is
written as base64url; -o jsonl tells which is which, and its lines name keys for
kv export. A key that is there all the time is listed once; of those that are written
or deleted meanwhile nothing is promised. What was printed before an error is not all.`,
    )
    .option("--prefix <TEXT>", "only keys that begin so")
    .option("--limit <COUNT>", "at most so many keys", wholeNumber);
  addReadQuorum(addBucketOptions(command))
    .addOption(
      new Option("--key-encoding <ENCODING>", "how the prefix is written")
        .choices(["utf8", "base64url"])
        .default("utf8"),
    )
    .examples(
      "kv ls",
      "kv ls --prefix user/ --limit 10",
      "kv ls -o jsonl | kv export copy.jsonl --keys -",
    );
  command.action(
    settle(async (output, argument: string | undefined, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<LsFlags>();
      if (argument !== undefined && flags.prefix !== undefined) {
        throw new CliError(EXIT.usage, "the prefix is given twice");
      }
      const prefix = keyOf(argument ?? flags.prefix ?? "", flags.keyEncoding);
      const printer = new KeyPrinter(output, flags.bucket);
      let left = flags.limit ?? Infinity;
      await using client = await openClient({ endpoints: endpointsOf(flags) });
      const pages = client.list({
        bucket: flags.bucket,
        prefix,
        r: flags.r,
        pageLimit: Math.min(left, LIST_LIMIT_MAX),
        timeoutMs: flags.timeout,
        signal: shell.signal,
      });
      await printer.begin();
      for await (const { keys } of pages) {
        const some = keys.slice(0, left);
        await printer.print(some);
        left -= some.length;
        if (left === 0) break;
      }
      await printer.end();
      return EXIT.ok;
    }),
  );
}

/** Prints page by page: a bucket may have more keys than there is memory. */
class KeyPrinter {
  readonly #output: Output;
  readonly #bucket: string;
  #printed = 0;
  #encoded = 0;

  constructor(output: Output, bucket: string) {
    this.#output = output;
    this.#bucket = bucket;
  }

  async begin(): Promise<void> {
    if (this.#output.format === "json") await this.#output.data("[");
  }

  async print(keys: readonly (string | Uint8Array)[]): Promise<void> {
    if (keys.length > 0) await this.#output.data(keys.map((key) => this.#line(key)).join(""));
  }

  async end(): Promise<void> {
    if (this.#output.format === "json")
      await this.#output.data(this.#printed > 0 ? "\n]\n" : "]\n");
    if (this.#encoded === 0) return;
    await this.#output.note(`${this.#encoded} keys are no plain text and written as base64url`);
  }

  #line(key: string | Uint8Array): string {
    const { format } = this.#output;
    this.#printed += 1;
    if (format === "table") return `${this.#plain(key)}\n`;
    const bucket = this.#bucket === "default" ? undefined : this.#bucket;
    const row = typeof key === "string" ? { bucket, key } : { bucket, key64: base64url(key) };
    if (format === "jsonl") return `${JSON.stringify(row)}\n`;
    return `${this.#printed === 1 ? "" : ","}\n  ${JSON.stringify(row)}`;
  }

  /** What has control characters in it would not stay on its line, or do worse to a terminal. */
  #plain(key: string | Uint8Array): string {
    if (typeof key === "string" && !/\p{Control}/u.test(key)) return key;
    this.#encoded += 1;
    return base64url(typeof key === "string" ? utf8(key) : key);
  }
}
