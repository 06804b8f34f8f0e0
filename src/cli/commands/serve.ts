import { readFile } from "node:fs/promises";
import type { OptionTexts } from "../../core/parse-config.ts";
import type { RunningNode } from "../../node/main.ts";
import { EXIT } from "../exit-code.ts";
import { fileError } from "../files.ts";
import type { KvCommand } from "../kv-command.ts";
import type { Settle } from "../settle.ts";
import { addOptionTable, parseConfigFile, parseServeOptions } from "../serve-options.ts";
import type { Shell } from "../shell.ts";

export function addServe(program: KvCommand, shell: Shell, settle: Settle): void {
  const command = program
    .command("serve")
    .summary("run one node")
    .description(
      "Runs one node until SIGTERM or SIGINT, at which it drains and stops; a second signal ends it at once. " +
        'Each option may stand in a JSON file (--config, keys as in "peerListen"), in a variable, ' +
        "or on the command line, which wins over the variable, which wins over the file.",
    )
    .option("--config <FILE>", "JSON file of options (KV_CONFIG)");
  addOptionTable(command);
  command
    .examples(`kv serve --id n1 --listen 127.0.0.1:7080 --peer-listen 127.0.0.1:7180 --data data/n1 \\
  --peers n1=127.0.0.1:7180,n2=127.0.0.1:7181,n3=127.0.0.1:7182`)
    .action(
      settle(async (_output, flags: Record<string, unknown>) => {
        const given = new Map(Object.entries(flags));
        const configFile = given.get("config") ?? shell.env["KV_CONFIG"];
        const file = typeof configFile === "string" ? await readConfigFile(configFile) : new Map();
        const config = parseServeOptions({ flags: given, env: shell.env, file });
        // Loaded here, so that the other commands start without a storage engine.
        const { startNode } = await import("../../node/main.ts");
        await runUntilStopped(await startNode(config), shell.signal);
        return EXIT.ok;
      }),
    );
}

async function readConfigFile(file: string): Promise<OptionTexts> {
  try {
    return parseConfigFile(await readFile(file, "utf8"), file);
  } catch (error) {
    throw error instanceof Error && "syscall" in error ? fileError("read", file, error) : error;
  }
}

/** Rejects when the node had to end itself. */
async function runUntilStopped(node: RunningNode, signal: AbortSignal): Promise<void> {
  const stop = () => void node.stop();
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  await node.stopped;
}
