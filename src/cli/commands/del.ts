import type { Command } from "commander";
import { EXIT } from "../exit-code.ts";
import { endpointsOf, openClient } from "../global-options.ts";
import { keyName } from "../json-bytes.ts";
import { addKey, addOneWrite, keyOf } from "../key-options.ts";
import type { WriteFlags } from "../key-options.ts";
import type { KvCommand } from "../kv-command.ts";
import type { Settle } from "../settle.ts";
import type { Shell } from "../shell.ts";
import { tellWritten } from "../written.ts";

export function addDel(program: KvCommand, shell: Shell, settle: Settle): void {
  const command = program
    .command("del")
    .summary("delete a key")
    .description("Deletes a key. Deleting a key that has no value succeeds.");
  addOneWrite(addKey(command)).examples("kv del greeting", "kv del greeting -w all");
  command.action(
    settle(async (output, text: string, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<WriteFlags>();
      const key = keyOf(text, flags.keyEncoding);
      const { bucket, w, durability, writeId, causalContext: context, timeout } = flags;
      await using client = await openClient({ endpoints: endpointsOf(flags) });
      const options = { bucket, w, durability, writeId, context, timeoutMs: timeout };
      const written = await client.delete(key, { ...options, signal: shell.signal });
      await tellWritten(output, { bucket, key, written, note: `deleted ${keyName(key)}` });
      return EXIT.ok;
    }),
  );
}
