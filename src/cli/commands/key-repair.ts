import type { KeyExplanation, KvClient } from "../../client/client.ts";
import type { CallOptions } from "../../client/call-options.ts";
import { CliError, EXIT } from "../exit-code.ts";
import { askNode } from "../key-view/ask.ts";
import { findings, repairCommand } from "../key-view/findings.ts";
import { lookAtKey } from "../key-view/look.ts";
import { printTitle } from "../key-view/print.ts";
import { changedReplicas, printRepair } from "../key-view/repair.ts";
import { printProblems } from "../problems.ts";
import type { KvCommand } from "../kv-command.ts";
import type { Settle } from "../settle.ts";
import type { Shell } from "../shell.ts";

export function addKeyRepair(group: KvCommand, shell: Shell, settle: Settle): void {
  const command = group
    .command("repair")
    .summary("bring the replicas of a key together by a read of all of them")
    .description(
      "Reads the key from every replica that answers, which writes the newest back to those that " +
        "lack it, and shows what changed. Exit code 9: replicas still differ, or did not answer.",
    )
    .examples("kv key repair greeting", "kv key repair greeting -o json");
  lookAtKey(command, { shell, settle }, async (output, { client, key, options, named, title }) => {
    const before = await askNode(client.explain(key, options));
    await readAll(client, { key, before, options });
    const after = await askNode(client.explain(key, options));
    const inSync = after.replicas.every((replica) => replica.inSync);
    if (output.forPrograms) {
      const changed = changedReplicas(before, after);
      await output.json({ ...named, inSync, changed, before, after });
    } else {
      await printTitle(output, title, after);
      await printRepair(output, before, after);
      await printProblems(output, findings(after, repairCommand(named)));
    }
    return inSync ? EXIT.ok : EXIT.checkFailed;
  });
}

/** A replica that is down must not keep the others from being repaired: R is as many as answer. */
async function readAll(
  client: KvClient,
  { key, before, options }: { key: Uint8Array; before: KeyExplanation; options: CallOptions },
): Promise<void> {
  const answering = before.replicas.filter(({ answer }) => answer === "ok");
  if (answering.length === 0) {
    const why = before.replicas.map(({ node, reason }) => `${node}: ${reason ?? "no answer"}`);
    throw new CliError(
      EXIT.unavailable,
      `no replica of the key answers (${why.join(", ")}): there is nothing to repair it from`,
      "`kv key inspect` tells what is wrong with each of them.",
    );
  }
  if (answering.every(({ inSync }) => inSync)) return;
  await client.repair(key, { ...options, r: answering.length });
}
