import type { Command } from "commander";
import { EXIT } from "../exit-code.ts";
import { endpointsOf, openClient } from "../global-options.ts";
import type { GlobalFlags } from "../global-options.ts";
import { wholeNumber } from "../key-options.ts";
import type { Output } from "../output.ts";
import { printProblems } from "../problems.ts";
import type { KvCommand } from "../kv-command.ts";
import type { Settle } from "../settle.ts";
import type { Shell } from "../shell.ts";
import { examine } from "../status/examine.ts";
import type { EndpointReport, Health } from "../status/examine.ts";
import { judge } from "../status/judge.ts";
import { statusLines } from "../status/status-lines.ts";

interface StatusFlags extends GlobalFlags {
  readonly timeout: number;
}

export function addStatus(program: KvCommand, shell: Shell, settle: Settle): void {
  program
    .command("status")
    .summary("ask every endpoint how it is")
    .description(
      "Asks every endpoint of -e about itself and about the members that it reaches; tells what is " +
        "wrong, what clients notice of it by bucket, and what to do. " +
        "Exit code 0: all is well. 9: something is wrong, the lines say what. 8: no endpoint answered.",
    )
    .option("--timeout <MS>", "longest wait for an endpoint", wholeNumber, 2_000)
    .examples(
      "kv status",
      "kv status || echo wake somebody",
      "kv status -e 127.0.0.1:7080,127.0.0.1:7081,127.0.0.1:7082",
      "kv status -o json",
    )
    .action(
      settle(async (output, _flags: unknown, self: Command) => {
        const flags = self.optsWithGlobals<StatusFlags>();
        const endpoints = endpointsOf(flags);
        await using client = await openClient({ endpoints });
        const options = { timeoutMs: flags.timeout, signal: shell.signal };
        const reports = await Promise.all(
          endpoints.map((endpoint) => examine(client, endpoint, options)),
        );
        const health = judge(reports);
        if (output.format === "json") await output.json({ ...health, endpoints: reports });
        else if (output.format === "jsonl") {
          for (const line of statusLines(reports, health)) await output.json(line);
        } else await printTable(output, reports, health);
        return { healthy: EXIT.ok, unhealthy: EXIT.checkFailed, unreachable: EXIT.unreachable }[
          health.verdict
        ];
      }),
    );
}

async function printTable(
  output: Output,
  reports: readonly EndpointReport[],
  { verdict, summary, problems, effects }: Health,
): Promise<void> {
  const head = ["ENDPOINT", "NODE", "STATE", "VERSION", "EPOCH", "REACHES"];
  const rows = reports.map(({ endpoint, state, status }) => {
    if (status === null) return [endpoint, "-", state, "-", "-", "-"];
    const reached = status.members.filter((member) => member.state !== "unreachable");
    const epoch = `${status.epoch}/${status.epochHash}`;
    const reaches = `${reached.length} of ${status.members.length}`;
    return [endpoint, status.node, state, status.version, epoch, reaches];
  });
  const { green, red } = output.colors;
  await output.table(head, rows);
  await printProblems(output, problems);
  const unharmed = effects.every(({ unreadable, unwritable }) => unreadable + unwritable === 0);
  if (problems.length > 0 && effects.length > 0 && unharmed) {
    await output.data("\nClients can read and write every bucket at its R and W.\n");
  }
  const paint = verdict === "healthy" ? green : red;
  await output.data(`\n${paint(verdict)}: ${summary}\n`);
}
