import { KvError } from "../core/errors.ts";
import type { NodeId } from "../core/ids.ts";
import { ReadQuorum, writeBackQuorumSize } from "../core/quorum/read-quorum.ts";
import type { ReadAction } from "../core/quorum/read-quorum.ts";
import { WriteQuorum } from "../core/quorum/write-quorum.ts";
import type { RecordKey } from "../core/record-key.ts";
import type { MergeModel } from "../core/version/merge-model.ts";
import type { KvRecord } from "../core/version/record.ts";
import { BUGGIFY_PAUSE_MS } from "../ports/buggify.ts";
import { sleep } from "../ports/clock.ts";
import type { Deadline } from "./deadline.ts";
import { askingOrder, Round } from "./round.ts";
import type { RoundModules } from "./round.ts";

export interface ReadPlan {
  readonly key: RecordKey;
  readonly preferenceList: readonly NodeId[];
  readonly r: number;
  readonly w: number;
  readonly model: MergeModel;
  readonly deadline: Deadline;
}

export interface ReadModules extends RoundModules {
  readonly spareDelayMs: number;
}

export interface Read {
  readonly record: KvRecord | undefined;
  readonly acked: number;
}

type WriteBack = Extract<ReadAction, { kind: "write-back" }>;

/**
 * Full records of R replicas. When they agree they are the answer; when not, their merge is written
 * back before it is returned, so that a value once read is never unread (I4).
 *
 * @throws KvError `read-unavailable`, `read-timeout`, `read-unconfirmed`: never a value or an
 * absence that fewer than R replicas vouch for.
 */
export async function read(plan: ReadPlan, modules: ReadModules): Promise<Read> {
  const { key, deadline, r } = plan;
  const order = askingOrder(modules.replicas, plan.preferenceList);
  const quorum = new ReadQuorum({ replicas: order, needed: r }, plan.model);
  const round = new Round<KvRecord | undefined>(
    {
      name: "read",
      replicas: order,
      first: r,
      quorum,
      deadline,
      ask: (replica, onAnswer) => replica.read(key, deadline.at, onAnswer),
    },
    modules.spareDelayMs,
    modules,
  );
  const end = await round.run();
  const { acked } = quorum;
  if (end !== "met") {
    throw new KvError(
      end === "deadline" ? "read-timeout" : "read-unavailable",
      `${acked} of the ${r} replicas that must answer did`,
      { needed: r, acked },
    );
  }
  const action = quorum.finalAction();
  if (action.kind === "write-back") await writeBack(plan, action, modules);
  return { record: action.record, acked };
}

async function writeBack(plan: ReadPlan, action: WriteBack, modules: ReadModules): Promise<void> {
  const { key, deadline, preferenceList, r, w } = plan;
  const { record, holders } = action;
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
        replica.write({ key, record, durability: "sync" }, deadline.at, onAnswer),
    },
    modules.spareDelayMs,
    modules,
  );
  const end = await round.run();
  metrics.readRepairs.with(end).add();
  if (end === "met") return;
  throw new KvError(
    "read-unconfirmed",
    `${quorum.acked} of the ${needed} replicas that must hold the newest version do`,
    { needed, acked: quorum.acked, atDeadline: end === "deadline" },
  );
}
