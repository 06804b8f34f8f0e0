import { dirname, join } from "node:path";
import process from "node:process";
import { InvalidArgumentError } from "commander";
import { DevCluster, refuseOccupied } from "../dev/dev-cluster.ts";
import { DevDirectory } from "../dev/dev-directory.ts";
import { DevLock } from "../dev/lock.ts";
import { PEER_PORT_OFFSET, planMembers, writeConfigs } from "../dev/member.ts";
import type { Member } from "../dev/member.ts";
import type { NodeProcess } from "../dev/node-process.ts";
import { CliError, EXIT } from "../exit-code.ts";
import { wholeNumber } from "../key-options.ts";
import type { Output } from "../output.ts";
import { shellWord, typedPath } from "../quoting.ts";
import type { KvCommand } from "../kv-command.ts";
import type { Settle } from "../settle.ts";
import type { Shell } from "../shell.ts";

/** Fewer than the distance of the two port ranges, and as many as a machine can bear. */
const NODES_MAX = 50;
const PORT_MAX = 65_535;

interface DevFlags {
  readonly nodes?: number;
  readonly port: number;
  readonly data: string;
  readonly verbose?: boolean;
}

export function addDev(program: KvCommand, shell: Shell, settle: Settle): void {
  program
    .command("dev")
    .summary("run a cluster on this machine")
    .description(
      "Runs a cluster on this machine, a process a node, until Ctrl-C. Its data stays in --data and is " +
        "found again by the next run. A node that dies is reported and not restarted: kill one and see. " +
        `Client ports begin at --port, peer ports ${PEER_PORT_OFFSET} above; everything listens on loopback only.`,
    )
    .option("--nodes <COUNT>", "nodes of a new cluster (default 3)", nodeCount)
    .option("--port <PORT>", "client port of the first node", portNumber, 7080)
    .option(
      "--data <DIR>",
      "folder of the cluster: data, logs (n1.log), process ids (n1.pid)",
      "./data",
    )
    .option("--verbose", "print the nodes' logs instead of keeping them in files")
    .examples(
      "kv dev",
      "kv dev --nodes 5 --port 9000 --data /tmp/five",
      "KV_LOG_LEVEL=debug kv dev --verbose",
      "kv dev -o jsonl                            # a line for scripts when all nodes are ready",
    )
    .action(
      settle(async (output, flags: DevFlags) => {
        const directory = new DevDirectory(flags.data);
        await directory.create();
        const identity = await directory.identity(flags.nodes);
        const { nodes } = identity;
        if (flags.port + PEER_PORT_OFFSET + nodes - 1 > PORT_MAX) {
          throw new CliError(EXIT.usage, `--port ${flags.port} leaves no room for the peer ports`);
        }
        const members = planMembers(directory, { nodes, port: flags.port });
        const lock = await DevLock.acquire(
          directory.lockFile,
          members.map(({ url }) => url).join(", "),
        );
        try {
          const { mainFile, signal } = shell;
          await refuseOccupied(members, { output, signal });
          await writeConfigs(members, directory, identity);
          const cluster = await DevCluster.start(members, {
            mainFile,
            verbose: flags.verbose === true,
          });
          try {
            await cluster.ready(signal);
            if (output.forPrograms)
              await printCluster(cluster.nodes, { identity, directory, output });
            else await output.data(welcome(cluster.nodes, { identity, directory, mainFile }));
            return await watch(cluster, output, shell);
          } finally {
            await stopAll(cluster, output);
          }
        } catch (error) {
          if (shell.signal.aborted) return EXIT.ok;
          throw error;
        } finally {
          await lock.release();
        }
      }),
    );
}

function nodeCount(text: string): number {
  const value = wholeNumber(text);
  if (value > NODES_MAX) throw new InvalidArgumentError(`At most ${NODES_MAX}.`);
  return value;
}

function portNumber(text: string): number {
  const value = wholeNumber(text);
  if (value > PORT_MAX) throw new InvalidArgumentError(`At most ${PORT_MAX}.`);
  return value;
}

function welcome(
  nodes: readonly NodeProcess[],
  {
    identity,
    directory,
    mainFile,
  }: { identity: { clusterId: string }; directory: DevDirectory; mainFile: string },
): string {
  const members = nodes.map(({ member }) => member);
  const [first] = members;
  const last = members.at(-1) ?? first;
  if (first === undefined || last === undefined) return "";
  const key = "/v1/kv/default/greeting";
  return [
    `Cluster ${identity.clusterId} is ready, its data is in ${directory.path}`,
    ...nodes.map(({ member, pid }) => `  ${member.id}  ${member.url}  process ${pid}`),
    "",
    "Try it from another terminal:",
    `  curl -X PUT -H 'Content-Type: text/plain' --data-binary 'hello' ${first.url}${key}`,
    `  curl -w '\\n' ${first.url}${key}`,
    `  curl -w '\\n' ${last.url}${key}`,
    `  ${launcher(mainFile)} status -e ${members.map(({ url }) => url).join(",")}`,
    "",
    `Kill a node and watch: kill -9 $(cat ${shellWord(typedPath(last.pidFile, process.cwd()))})`,
    `Start it again:        ${serveCommand(last, mainFile)}`,
    "Ctrl-C stops all nodes.",
    "",
  ].join("\n");
}

/** `-o json`: for a script that waits until it can go on. Its JSON form is stable. */
async function printCluster(
  nodes: readonly NodeProcess[],
  {
    identity: { clusterId },
    directory,
    output,
  }: { identity: { clusterId: string }; directory: DevDirectory; output: Output },
): Promise<void> {
  const rows = nodes.map(({ pid, member: { id, url, configFile } }) => ({
    id,
    url,
    pid,
    configFile,
  }));
  await output.json({ clusterId, data: directory.path, nodes: rows });
}

/** As it can be typed in the folder where `kv dev` was started. */
function serveCommand({ configFile }: Member, mainFile: string): string {
  return `${launcher(mainFile)} serve --config ${shellWord(typedPath(configFile, process.cwd()))}`;
}

function launcher(mainFile: string): string {
  const path = typedPath(join(dirname(mainFile), "..", "..", "..", "kv"), process.cwd());
  return shellWord(path.includes("/") ? path : `./${path}`);
}

/** Reports nodes that end; returns at the signal, or when none is left. */
async function watch(cluster: DevCluster, output: Output, shell: Shell): Promise<number> {
  const { signal, mainFile } = shell;
  const interrupted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  const reported = cluster.nodes.map(async (node) => {
    const ending = await node.ended;
    if (signal.aborted) return;
    const lines = await node.lastLines();
    const said = lines.length === 0 ? [] : ["its log ends with:", ...lines];
    const again = `start it again from another terminal: ${serveCommand(node.member, mainFile)}`;
    await output.warn([`${node.member.id} ${ending}`, ...said, again].join("\n  "));
  });
  await Promise.race([interrupted, Promise.all(reported)]);
  if (signal.aborted) return EXIT.ok;
  await output.warn("no node is left");
  return EXIT.internal;
}

async function stopAll(cluster: DevCluster, output: Output): Promise<void> {
  if (cluster.nodes.some((node) => node.running)) await output.note("stopping the nodes…");
  const killed = await cluster.stop();
  if (killed.length > 0) await output.warn(`${killed.join(", ")} did not stop in time: killed`);
}
