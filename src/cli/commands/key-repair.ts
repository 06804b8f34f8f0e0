import type { Command } from "commander";
import type { KeyExplanation, KvClient } from "../../client/client.ts";
import type { CallOptions } from "../../client/call-options.ts";
import { CliError, EXIT } from "../exit-code.ts";
import { endpointsOf, openClient } from "../global-options.ts";
import { keyFields, keyName } from "../json-bytes.ts";
import { addKey, keyOf } from "../key-options.ts";
import type { KeyFlags } from "../key-options.ts";
import { askNode, LOOK_TIMEOUT_MS } from "../key-view/ask.ts";
import { findings, repairCommand } from "../key-view/findings.ts";
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
    );
  addKey(command).examples("kv key repair greeting", "kv key repair greeting -o json");
  command.action(
    settle(async (output, text: string, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<KeyFlags>();
      const { bucket, keyEncoding, timeout: timeoutMs = LOOK_TIMEOUT_MS } = flags;
      const key = keyOf(text, keyEncoding);
      await using client = await openClient({ endpoints: endpointsOf(flags) });
      const options = { bucket, timeoutMs, signal: shell.signal };
      const before = await askNode(client.explain(key, options));
      await readAll(client, { key, before, options });
      const after = await askNode(client.explain(key, options));
      const inSync = after.replicas.every((replica) => replica.inSync);
      const named = { bucket, ...keyFields(key) };
      if (output.format !== "table") {
        const changed = changedReplicas(before, after);
        await output.json({ ...named, inSync, changed, before, after });
      } else {
        await printTitle(output, `${keyName(key)} in bucket ${bucket}`, after);
        await printRepair(output, before, after);
        await printProblems(output, findings(after, repairCommand(named)));
      }
      return inSync ? EXIT.ok : EXIT.checkFailed;
    }),
  );
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
