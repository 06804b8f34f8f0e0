import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { Argument } from "commander";
import type { Command } from "commander";
import { utf8 } from "../../core/bytes.ts";
import { KvError } from "../../core/errors.ts";
import { CliError, EXIT } from "../exit-code.ts";
import { fileError } from "../files.ts";
import { endpointsOf, openClient } from "../global-options.ts";
import { keyName } from "../json-bytes.ts";
import { addKey, addOneWrite, keyOf, wholeNumber } from "../key-options.ts";
import type { WriteFlags } from "../key-options.ts";
import type { KvCommand } from "../kv-command.ts";
import type { Settle } from "../settle.ts";
import type { Shell } from "../shell.ts";
import { tellWritten } from "../written.ts";

/** More than a bucket takes is refused by the node; this only bounds what is read into memory. */
const VALUE_BYTES_MAX = 64 * 1024 * 1024;

interface PutFlags extends WriteFlags {
  readonly contentType?: string;
  readonly ttl?: number;
}

export function addPut(program: KvCommand, shell: Shell, settle: Settle): void {
  const command = program
    .command("put")
    .summary("store a value under a key")
    .description(
      "Stores a value under a key and waits for the acknowledgement of a quorum. " +
        "VALUE is the value itself, @FILE names a file that holds it, - (or nothing) reads stdin. " +
        "Exit code 5: proven not applied. Exit code 6: it may or may not have been applied.",
    );
  addOneWrite(
    addKey(command).addArgument(new Argument("[VALUE]", "the value, @FILE, or - for stdin")),
  )
    .option("--content-type <TYPE>", "kept with the value and given back with it")
    .option("--ttl <SECONDS>", "the value counts as absent after so many seconds", wholeNumber)
    .examples(
      "kv put greeting hello",
      "kv put logo @logo.png --content-type image/png",
      "date | kv put now -",
      "kv put session-7 token --ttl 3600",
      "kv put greeting -- --hello       # -- ends the flags: a value may begin with -",
      "kv put cart '2 apples' -b carts --causal-context AW…   # merges what that read has shown",
      "printf %s @home | kv put handle  # a value that begins with @ comes from stdin",
    );
  command.action(
    settle(
      async (output, text: string, given: string | undefined, _flags: unknown, self: Command) => {
        const flags = self.optsWithGlobals<PutFlags>();
        const key = keyOf(text, flags.keyEncoding);
        const { bucket, w, durability, writeId, causalContext: context, contentType, ttl } = flags;
        const value = await valueOf(given, shell);
        await using client = await openClient({ endpoints: endpointsOf(flags) });
        const options = { bucket, w, durability, writeId, context, contentType, ttlSeconds: ttl };
        const limits = { timeoutMs: flags.timeout, signal: shell.signal };
        const written = await client.put(key, value, { ...options, ...limits });
        await tellWritten(output, { bucket, key, written, note: `stored ${keyName(key)}` });
        return EXIT.ok;
      },
    ),
  );
}

async function valueOf(given: string | undefined, { stdin }: Shell): Promise<Uint8Array> {
  if (given === undefined && stdin.isTTY === true) {
    throw new CliError(
      EXIT.usage,
      "no value is given",
      "Give VALUE, @FILE, or pipe it into stdin.",
    );
  }
  if (given === undefined || given === "-") return readAll(stdin);
  if (!given.startsWith("@")) return utf8(given);
  const file = given.slice(1);
  try {
    return await readAll(createReadStream(file));
  } catch (error) {
    throw error instanceof KvError ? error : fileError("read", file, error);
  }
}

async function readAll(stream: Readable): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    const bytes: Uint8Array = Buffer.from(chunk as Uint8Array | string);
    length += bytes.byteLength;
    if (length > VALUE_BYTES_MAX) {
      throw new KvError("value-too-large", `more than ${VALUE_BYTES_MAX} bytes`);
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}
