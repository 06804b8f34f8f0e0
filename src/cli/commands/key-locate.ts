import type { Command } from "commander";
import { EXIT } from "../exit-code.ts";
import { endpointsOf, openClient } from "../global-options.ts";
import { keyFields, keyName } from "../json-bytes.ts";
import { addKey, keyOf } from "../key-options.ts";
import type { KeyFlags } from "../key-options.ts";
import { askNode, LOOK_TIMEOUT_MS } from "../key-view/ask.ts";
import { printPlacement, printTitle } from "../key-view/print.ts";
import type { KvCommand } from "../kv-command.ts";
import type { Settle } from "../settle.ts";
import type { Shell } from "../shell.ts";

export function addKeyLocate(group: KvCommand, shell: Shell, settle: Settle): void {
  const command = group
    .command("locate")
    .summary("which nodes keep a key, and which of them can be reached")
    .description(
      "Tells the partition of a key and its replicas in order of preference, as one node sees them. " +
        "No replica is asked, and the key need not exist.",
    );
  addKey(command).examples("kv key locate greeting", "kv key locate greeting -o json");
  command.action(
    settle(async (output, text: string, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<KeyFlags>();
      const { bucket, keyEncoding, timeout: timeoutMs = LOOK_TIMEOUT_MS } = flags;
      const key = keyOf(text, keyEncoding);
      await using client = await openClient({ endpoints: endpointsOf(flags) });
      const placement = await askNode(
        client.locate(key, { bucket, timeoutMs, signal: shell.signal }),
      );
      if (output.format !== "table") {
        await output.json({ bucket, ...keyFields(key), ...placement });
        return EXIT.ok;
      }
      await printTitle(output, `${keyName(key)} in bucket ${bucket}`, placement);
      await printPlacement(output, placement);
      return EXIT.ok;
    }),
  );
}
