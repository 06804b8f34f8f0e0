import { EXIT } from "../exit-code.ts";
import { askNode } from "../key-view/ask.ts";
import { findings, repairCommand } from "../key-view/findings.ts";
import { lookAtKey } from "../key-view/look.ts";
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
    )
    .examples(
      "kv key inspect greeting",
      "kv key inspect greeting -e 127.0.0.1:7081   # through another node",
      "kv key inspect greeting -o json",
    );
  lookAtKey(command, { shell, settle }, async (output, { client, key, options, named, title }) => {
    const explained = await askNode(client.explain(key, options));
    if (output.forPrograms) {
      await output.json({ ...named, ...explained });
      return EXIT.ok;
    }
    await printTitle(output, title, explained);
    await printExplanation(output, explained);
    await printProblems(output, findings(explained, repairCommand(named)));
    return EXIT.ok;
  });
}
