import { setTimeout as sleep } from "node:timers/promises";
import { addressText } from "../../core/config.ts";
import { KvError } from "../../core/errors.ts";
import { CliError, EXIT } from "../exit-code.ts";
import { openClient } from "../global-options.ts";
import type { Output } from "../output.ts";
import { busyAddresses } from "./busy-addresses.ts";
import { leftoverOf } from "./member.ts";
import type { Member } from "./member.ts";
import { NodeProcess } from "./node-process.ts";

/** Longer than a node drains. */
const STOP_TIMEOUT_MS = 15_000;
const READY_TIMEOUT_MS = 30_000;
const POLL_MS = 100;
const POLL_TIMEOUT_MS = 1_000;

/** Waits for what a crashed run left to stop by itself; refuses if it, or another, stays. */
export async function refuseOccupied(
  members: readonly Member[],
  { output, signal }: { output: Output; signal: AbortSignal },
): Promise<void> {
  const deadline = performance.now() + STOP_TIMEOUT_MS;
  for (const member of members) {
    let pid = await leftoverOf(member);
    if (pid !== undefined) {
      await output.note(`waiting for ${member.id} of an earlier run, process ${pid}, to stop`);
    }
    for (; pid !== undefined; pid = await leftoverOf(member)) {
      if (performance.now() > deadline) {
        throw new CliError(
          EXIT.internal,
          `${member.id} of an earlier run still runs as process ${pid}`,
          `Stop it first: kill ${pid}`,
        );
      }
      await sleep(POLL_MS, undefined, { signal });
    }
  }
  const busy = await busyAddresses(
    members.flatMap(({ listen, peerListen }) => [listen, peerListen]),
  );
  if (busy.length > 0) {
    throw new KvError(
      "address-in-use",
      `${busy.map(addressText).join(", ")}: another process listens there; choose another --port, or stop it`,
    );
  }
}

/** The processes of one cluster. */
export class DevCluster {
  readonly nodes: readonly NodeProcess[];

  private constructor(nodes: readonly NodeProcess[]) {
    this.nodes = nodes;
  }

  static async start(
    members: readonly Member[],
    options: { mainFile: string; verbose: boolean },
  ): Promise<DevCluster> {
    return new DevCluster(
      await Promise.all(members.map((member) => NodeProcess.start(member, options))),
    );
  }

  /** @throws CliError when a node ends instead, or is not ready in time. */
  async ready(signal: AbortSignal): Promise<void> {
    await using client = await openClient({
      endpoints: this.nodes.map(({ member }) => member.url),
    });
    const deadline = performance.now() + READY_TIMEOUT_MS;
    for (const node of this.nodes) {
      const { id, url, logFile } = node.member;
      while (!(await isReady(client, url, signal))) {
        for (const other of this.nodes) if (!other.running) throw await endedEarly(other);
        if (performance.now() > deadline) {
          throw new CliError(
            EXIT.internal,
            `${id} was not ready within ${READY_TIMEOUT_MS / 1000} s`,
            `Its log: ${logFile}`,
          );
        }
        await sleep(POLL_MS, undefined, { signal });
      }
    }
  }

  /** @returns the ids of those that had to be killed. */
  async stop(): Promise<readonly string[]> {
    const killed = await Promise.all(
      this.nodes.map(async (node) => ((await node.stop(STOP_TIMEOUT_MS)) ? [] : [node.member.id])),
    );
    return killed.flat();
  }
}

/** Takes requests and reaches every other member: the first request shall not meet half a cluster. */
async function isReady(
  client: Awaited<ReturnType<typeof openClient>>,
  url: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const { ready } = await client.ready(url, { signal, timeoutMs: POLL_TIMEOUT_MS });
    const { members } = await client.cluster(url, { signal, timeoutMs: POLL_TIMEOUT_MS });
    return ready && members.every(({ state }) => state !== "unreachable");
  } catch (error) {
    if (error instanceof KvError) return false;
    throw error;
  }
}

async function endedEarly(node: NodeProcess): Promise<CliError> {
  const lines = await node.lastLines();
  const { id, logFile } = node.member;
  return new CliError(
    EXIT.internal,
    `${id} ${await node.ended} before it was ready`,
    [`Its log, ${logFile}, ends with:`, ...lines].join("\n  "),
  );
}
