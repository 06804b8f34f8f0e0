import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { addressText } from "../../core/config.ts";
import type { Address, OptionName } from "../../core/config.ts";
import type { DevDirectory, DevIdentity } from "./dev-directory.ts";
import { commandOf } from "./process-command.ts";

/** Peer ports stand this far above client ports. */
export const PEER_PORT_OFFSET = 100;
const HOST = "127.0.0.1";

/** One node of a `kv dev` cluster: where it listens and which files are its own. */
export interface Member {
  readonly id: string;
  readonly url: string;
  readonly listen: Address;
  readonly peerListen: Address;
  /** All options of the node, so that `kv serve --config` starts it alone. */
  readonly configFile: string;
  readonly dataFolder: string;
  readonly logFile: string;
  readonly pidFile: string;
}

export function planMembers(
  directory: DevDirectory,
  { nodes, port }: { nodes: number; port: number },
): readonly Member[] {
  return Array.from({ length: nodes }, (_, index) => {
    const id = `n${index + 1}`;
    const listen = { host: HOST, port: port + index };
    return {
      id,
      url: `http://${addressText(listen)}`,
      listen,
      peerListen: { host: HOST, port: port + PEER_PORT_OFFSET + index },
      configFile: join(directory.path, `${id}.json`),
      dataFolder: join(directory.path, id),
      logFile: join(directory.path, `${id}.log`),
      pidFile: join(directory.path, `${id}.pid`),
    };
  });
}

/** Written at each start: the ports may be others than last time. */
export async function writeConfigs(
  members: readonly Member[],
  directory: DevDirectory,
  { clusterId }: DevIdentity,
): Promise<void> {
  const peers = members.map(({ id, peerListen }) => `${id}=${addressText(peerListen)}`).join(",");
  for (const member of members) {
    const config: Partial<Record<OptionName, string>> = {
      id: member.id,
      listen: addressText(member.listen),
      peerListen: addressText(member.peerListen),
      peers,
      data: member.dataFolder,
      clusterId,
      secretFile: directory.secretFile,
    };
    await writeFile(member.configFile, `${JSON.stringify(config, null, 2)}\n`);
  }
}

/**
 * The process that a pid file names, if it still is that node. After a crash the number may belong
 * to anyone, so it is compared by command line, and nothing is ever killed because of it.
 */
export async function leftoverOf({ pidFile, configFile }: Member): Promise<number | undefined> {
  const text = await readFile(pidFile, "utf8").catch(() => "");
  const pid = Number(text.trim());
  return commandOf(pid)?.includes(configFile) === true ? pid : undefined;
}

export async function writePid({ pidFile }: Member, pid: number): Promise<void> {
  await writeFile(pidFile, `${pid}\n`);
}

export async function removePid({ pidFile }: Member): Promise<void> {
  await rm(pidFile, { force: true });
}
