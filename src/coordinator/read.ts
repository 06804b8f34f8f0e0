import { assert } from "../core/assert.ts";
import type { ReadRepair } from "../core/bucket.ts";
import { KvError } from "../core/errors.ts";
import type { Stamp } from "../core/hlc.ts";
import type { NodeId } from "../core/ids.ts";
import type { DigestAnswer, ReadAnswer } from "../core/messages/answer.ts";
import { ReadQuorum } from "../core/quorum/read-quorum.ts";
import type { MergeModel } from "../core/version/merge-model.ts";
import type { KvRecord } from "../core/version/record.ts";
import type { BackgroundRepairs } from "./background-repairs.ts";
import { askingOrder, Round } from "./round.ts";
import type { RoundEnd } from "./round.ts";
import { writeBack } from "./write-back.ts";
import type { WriteBackModules, WriteBackPlan } from "./write-back.ts";

export interface ReadPlan extends WriteBackPlan {
  readonly model: MergeModel;
  readonly readRepair: ReadRepair;
}

export interface ReadModules extends WriteBackModules {
  readonly backgroundRepairs: BackgroundRepairs;
}

export interface Read {
  readonly record: KvRecord | undefined;
  readonly acked: number;
  /** The greatest reading of the answering replicas' clocks. */
  readonly clock: Stamp;
}

/**
 * The record of one replica, the own one if it is one, and digests of R − 1 others. When they agree
 * the record is the answer; when not, the records behind the digests are fetched and their merge is
 * written back before it is returned, so that a value once read is never unread (I4).
 *
 * @throws KvError `read-unavailable`, `read-timeout`, `read-unconfirmed`: never a value or an
 * absence that fewer than R replicas vouch for.
 */
export async function read(plan: ReadPlan, modules: ReadModules): Promise<Read> {
  const order = askingOrder(modules.replicas, plan.preferenceList);
  let quorum = await askForDigests(plan, order, modules);
  let action = quorum.finalAction();
  if (action.kind === "fetch") {
    quorum = await fetchRecords(plan, { quorum, from: action.from, order }, modules);
    action = quorum.finalAction();
  }
  const { acked, clock } = quorum;
  assert(action.kind !== "fetch", "a quorum of records leaves none to fetch");
  if (action.kind === "write-back") {
    const { backgroundRepairs } = modules;
    if (plan.readRepair === "background") backgroundRepairs.start(plan, action, modules);
    else await writeBack(plan, action, modules);
  }
  return { record: action.record, acked, clock };
}

async function askForDigests(
  plan: ReadPlan,
  order: readonly NodeId[],
  modules: ReadModules,
): Promise<ReadQuorum> {
  const { key, deadline, r } = plan;
  const quorum = new ReadQuorum(key, { replicas: order, needed: r }, plan.model);
  let asked = 0;
  const round = new Round<ReadAnswer | DigestAnswer>(
    {
      name: "read",
      replicas: order,
      first: r,
      quorum,
      deadline,
      ask: (replica, onAnswer) => {
        asked += 1;
        // A spare stands in for a replica that failed or is silent, perhaps the one with the record.
        if (asked === 1 || asked > r) replica.read(key, deadline.at, onAnswer);
        else replica.digest(key, deadline.at, onAnswer);
      },
    },
    modules.spareDelayMs,
    modules,
  );
  checkEnd(await round.run(), { plan, quorum, failures: round.failures });
  return quorum;
}

/** Asks those whose digests differ for their records, and spares in place of those that fail now. */
async function fetchRecords(
  plan: ReadPlan,
  at: { quorum: ReadQuorum; from: readonly NodeId[]; order: readonly NodeId[] },
  modules: ReadModules,
): Promise<ReadQuorum> {
  const { key, deadline, r } = plan;
  const { from, order } = at;
  const quorum = new ReadQuorum(key, { replicas: order, needed: r }, plan.model);
  const known = quorum.adopt(at.quorum);
  const spares = order.filter((node) => !from.includes(node) && !known.has(node));
  const round = new Round<ReadAnswer>(
    {
      name: "read",
      replicas: [...from, ...spares],
      first: from.length,
      quorum,
      deadline,
      ask: (replica, onAnswer) => replica.read(key, deadline.at, onAnswer),
    },
    modules.spareDelayMs,
    modules,
  );
  checkEnd(await round.run(), { plan, quorum, failures: round.failures });
  return quorum;
}

function checkEnd(
  end: RoundEnd,
  at: { readonly plan: ReadPlan; readonly quorum: ReadQuorum; readonly failures: string },
): void {
  if (end === "met") return;
  const { r } = at.plan;
  const { acked } = at.quorum;
  throw new KvError(
    end === "deadline" ? "read-timeout" : "read-unavailable",
    `${acked} of the ${r} replicas that must answer did${at.failures}`,
    { needed: r, acked },
  );
}
