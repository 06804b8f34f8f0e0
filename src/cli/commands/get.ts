import type { Command } from "commander";
import type { QuorumChoice } from "../../client/call-options.ts";
import type { Found } from "../../client/results.ts";
import { KvError } from "../../core/errors.ts";
import { EXIT } from "../exit-code.ts";
import { endpointsOf, openClient } from "../global-options.ts";
import { keyFields, keyName, valueFields } from "../json-bytes.ts";
import { addKey, addReadQuorum, keyOf } from "../key-options.ts";
import type { KeyFlags } from "../key-options.ts";
import type { Output } from "../output.ts";
import type { Settle } from "../settle.ts";
import type { Shell } from "../shell.ts";

const LINE_FEED = 10;

interface GetFlags extends KeyFlags {
  readonly r?: QuorumChoice;
}

export function addGet(program: Command, shell: Shell, settle: Settle): void {
  const command = program
    .command("get")
    .summary("print the value of a key")
    .description("Prints the value of a key, byte for byte. Exit code 3: the key has no value.");
  addReadQuorum(addKey(command)).addHelpText(
    "after",
    `
Examples:
  kv get greeting
  kv get logo > logo.png
  kv get greeting -o json          # with its metadata; base64 if the value is not text
  kv get greeting -r all           # ask every replica`,
  );
  command.action(
    settle(async (output, text: string, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<GetFlags>();
      const key = keyOf(text, flags.keyEncoding);
      const { bucket, r, timeout } = flags;
      await using client = await openClient({ endpoints: endpointsOf(flags, shell) });
      const found = await client.get(key, { bucket, r, timeoutMs: timeout, signal: shell.signal });
      if (found === undefined) {
        throw new KvError("key-not-found", `${keyName(key)} in bucket '${bucket}'`);
      }
      if (output.format === "table") await printRaw(found, output, shell);
      else await output.json({ bucket, ...keyFields(key), ...jsonOf(found) });
      return EXIT.ok;
    }),
  );
}

async function printRaw(found: Found, output: Output, { stdout }: Shell): Promise<void> {
  await output.data(found.value);
  // Only for eyes: a file or a pipe gets exactly what is stored.
  if (stdout.isTTY === true && found.value.at(-1) !== LINE_FEED) await output.data("\n");
  if (found.contentEncoding !== undefined) {
    await output.note(`the value is stored with content encoding '${found.contentEncoding}'`);
  }
}

function jsonOf(found: Found) {
  const { value, contentType, contentEncoding, writeId, quorum } = found;
  return {
    ...valueFields(value),
    contentType: contentType ?? null,
    contentEncoding: contentEncoding ?? null,
    etag: found.etag ?? null,
    lastModified: found.lastModified ?? null,
    expiresAt: found.expiresAt ?? null,
    writeId: writeId ?? null,
    quorum,
  };
}
