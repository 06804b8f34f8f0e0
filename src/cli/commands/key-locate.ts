import { DEFAULT_BUCKET } from "../../core/bucket.ts";
import { parseBucketName, parseKey } from "../../core/ids.ts";
import { keyHash, recordKey } from "../../core/record-key.ts";
import { EXIT } from "../exit-code.ts";
import { askNode } from "../key-view/ask.ts";
import { lookAtKey } from "../key-view/look.ts";
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
    )
    .examples("kv key locate greeting", "kv key locate greeting -o json");
  lookAtKey(command, { shell, settle }, async (output, { client, key, options, named, title }) => {
    const placement = await askNode(client.locate(key, options));
    const bucket = parseBucketName(options.bucket ?? DEFAULT_BUCKET);
    const inLogs = keyHash(recordKey(bucket, parseKey(key)));
    if (output.forPrograms) {
      await output.json({ ...named, keyHash: inLogs, ...placement });
      return EXIT.ok;
    }
    await printTitle(output, title, placement);
    await printPlacement(output, placement);
    await output.data(`\nlogs call it ${inLogs}\n`);
    return EXIT.ok;
  });
}
