import { KvError } from "../core/errors.ts";
import type { NodeId } from "../core/ids.ts";
import { writeBackQuorumSize } from "../core/quorum/read-quorum.ts";
import type { ReadAction } from "../core/quorum/read-quorum.ts";
import { WriteQuorum } from "../core/quorum/write-quorum.ts";
import type { RecordKey } from "../core/record-key.ts";
import { BUGGIFY_PAUSE_MS } from "../ports/buggify.ts";
import { sleep } from "../ports/clock.ts";
import type { Deadline } from "./deadline.ts";
import { Round } from "./round.ts";
import type { RoundModules } from "./round.ts";

export interface WriteBackPlan {
  readonly key: RecordKey;
  readonly preferenceList: readonly NodeId[];
  readonly r: number;
  readonly w: number;
  readonly deadline: Deadline;
}

export interface WriteBackModules extends RoundModules {
  readonly spareDelayMs: number;
}

export type WriteBack = Extract<ReadAction, { kind: "write-back" }>;

/**
 * Writes the merge of a read's answers to every replica that does not hold it, and waits until so
 * many of the N hold it or something newer, any of them, that no later read can miss it.
 *
 * @throws KvError `read-unconfirmed`
 */
export async function writeBack(
  plan: WriteBackPlan,
  { record, holders }: WriteBack,
  modules: WriteBackModules,
): Promise<void> {
  const { key, deadline, preferenceList, r, w } = plan;
  const { metrics } = modules.telemetry;
  if (modules.buggify("pause-before-write-back")) await sleep(modules.clock, BUGGIFY_PAUSE_MS);
  const needed = writeBackQuorumSize({ n: preferenceList.length, r, w });
  const quorum = new WriteQuorum({ replicas: preferenceList, needed });
  for (const node of holders) quorum.add(node, { kind: "ok", value: "applied" });
  const behind = preferenceList.filter((node) => !holders.has(node));
  for (const node of behind) metrics.staleReplies.with(node).add();
  const round = new Round<"applied">(
    {
      name: "write-back",
      replicas: behind,
      first: behind.length,
      quorum,
      deadline,
      ask: (replica, onAnswer) =>
        replica.write(
          { key, record, durability: "sync", purpose: "repair" },
          deadline.at,
          onAnswer,
        ),
    },
    modules.spareDelayMs,
    modules,
  );
  const end = await round.run();
  metrics.readRepairs.with(end).add();
  if (end === "met") return;
  throw new KvError(
    "read-unconfirmed",
    `${quorum.acked} of the ${needed} replicas that must hold the newest version do${round.failures}`,
    { needed, acked: quorum.acked, atDeadline: end === "deadline" },
  );
}
