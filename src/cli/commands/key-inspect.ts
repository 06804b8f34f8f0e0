import type { Command } from "commander";
import { EXIT } from "../exit-code.ts";
import { endpointsOf, openClient } from "../global-options.ts";
import { keyFields, keyName } from "../json-bytes.ts";
import { addKey, keyOf } from "../key-options.ts";
import type { KeyFlags } from "../key-options.ts";
import { askNode, LOOK_TIMEOUT_MS } from "../key-view/ask.ts";
import { findings, repairCommand } from "../key-view/findings.ts";
import { printExplanation, printTitle } from "../key-view/print.ts";
import { printProblems } from "../problems.ts";
import type { KvCommand } from "../kv-command.ts";
import type { Settle } from "../settle.ts";
import type { Shell } from "../shell.ts";

export function addKeyInspect(group: KvCommand, shell: Shell, settle: Settle): void {
  const command = group
    .command("inspect")
    .summary("what each replica holds, and what reads would return")
    .description(
      "Asks every replica of a key, at the moment and without a quorum: what it holds, how that " +
        "stands to the newest, and what reads would return. Nothing is written. It answers also when " +
        "replicas are down.",
    );
  addKey(command).examples(
    "kv key inspect greeting",
    "kv key inspect greeting -e 127.0.0.1:7081   # through another node",
    "kv key inspect greeting -o json",
  );
  command.action(
    settle(async (output, text: string, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<KeyFlags>();
      const { bucket, keyEncoding, timeout: timeoutMs = LOOK_TIMEOUT_MS } = flags;
      const key = keyOf(text, keyEncoding);
      await using client = await openClient({ endpoints: endpointsOf(flags) });
      const options = { bucket, timeoutMs, signal: shell.signal };
      const explained = await askNode(client.explain(key, options));
      const named = { bucket, ...keyFields(key) };
      if (output.format !== "table") {
        await output.json({ ...named, ...explained });
        return EXIT.ok;
      }
      await printTitle(output, `${keyName(key)} in bucket ${bucket}`, explained);
      await printExplanation(output, explained);
      await printProblems(output, findings(explained, repairCommand(named)));
      return EXIT.ok;
    }),
  );
}
