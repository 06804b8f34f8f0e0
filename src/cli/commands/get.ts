import type { Command } from "commander";
import type { QuorumChoice } from "../../client/call-options.ts";
import type { Absent, Conflict, Found, Sibling } from "../../client/reading.ts";
import { KvError } from "../../core/errors.ts";
import { EXIT } from "../exit-code.ts";
import { endpointsOf, openClient } from "../global-options.ts";
import { hasSiblings } from "../has-siblings.ts";
import { keyFields, keyName, valueFields } from "../json-bytes.ts";
import { addKey, addReadQuorum, keyOf } from "../key-options.ts";
import type { KeyFlags } from "../key-options.ts";
import type { Output } from "../output.ts";
import type { KvCommand } from "../kv-command.ts";
import type { Settle } from "../settle.ts";
import type { Shell } from "../shell.ts";

const LINE_FEED = 10;

interface GetFlags extends KeyFlags {
  readonly r?: QuorumChoice;
  readonly sibling?: string;
}

export function addGet(program: KvCommand, shell: Shell, settle: Settle): void {
  const command = program
    .command("get")
    .summary("print the value of a key")
    .description(
      "Prints the value of a key, byte for byte. Exit code 3: the key has no value. " +
        "Exit code 4: it has siblings, concurrent values of a bucket that keeps them; -o json prints them all.",
    );
  addReadQuorum(addKey(command))
    .option("--sibling <VERSION>", "one of several siblings, as -o json names it")
    .examples(
      "kv get greeting",
      "kv get logo > logo.png",
      "kv get greeting -o json          # with its metadata; base64 if the value is not text",
      "kv get greeting -r all           # ask every replica",
      "kv get cart -b carts -o json     # its siblings, and the context for a put that merges them",
    );
  command.action(
    settle(async (output, text: string, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<GetFlags>();
      const key = keyOf(text, flags.keyEncoding);
      const { bucket, r, timeout, sibling } = flags;
      await using client = await openClient({ endpoints: endpointsOf(flags) });
      const limits = { timeoutMs: timeout, signal: shell.signal };
      const reading = await client.get(key, { bucket, r, version: sibling, ...limits });
      const isJson = output.format !== "table";
      switch (reading.kind) {
        case "absent":
          throw notFound(reading, `${keyName(key)} in bucket '${bucket}'`);
        case "siblings":
          if (!isJson) throw hasSiblings(reading);
          await output.json({ bucket, ...keyFields(key), ...siblingsJson(reading) });
          return EXIT.conflict;
        case "value":
          if (isJson) await output.json({ bucket, ...keyFields(key), ...jsonOf(reading) });
          else await printRaw(reading, output, shell);
          return EXIT.ok;
      }
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
    context: found.context ?? null,
    quorum,
  };
}

function siblingsJson({ siblings, context, quorum }: Conflict) {
  return { siblings: siblings.map(siblingJson), context: context ?? null, quorum };
}

function siblingJson({ value, ...sibling }: Sibling) {
  return {
    version: sibling.version,
    ...(value === null ? { value: null, encoding: null } : valueFields(value)),
    contentType: sibling.contentType ?? null,
    contentEncoding: sibling.contentEncoding ?? null,
    lastModified: sibling.lastModified,
    expiresAt: sibling.expiresAt ?? null,
    writeId: sibling.writeId,
  };
}

function notFound({ deleted }: Absent, where: string): KvError {
  return new KvError("key-not-found", deleted ? `${where} was deleted` : where, { deleted });
}
