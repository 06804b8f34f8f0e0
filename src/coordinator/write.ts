import { KvError } from "../core/errors.ts";
import { stampAfter } from "../core/hlc.ts";
import type { Stamp } from "../core/hlc.ts";
import type { NodeId, WriteId } from "../core/ids.ts";
import { LearnQuorum, learnQuorumLeast, learnQuorumSize } from "../core/quorum/learn-quorum.ts";
import { WriteQuorum } from "../core/quorum/write-quorum.ts";
import type { RecordKey } from "../core/record-key.ts";
import { encodeRecord } from "../core/version/record.ts";
import type { Content, Version } from "../core/version/version.ts";
import type { Durability } from "../core/bucket.ts";
import { BUGGIFY_PAUSE_MS } from "../ports/buggify.ts";
import { sleep } from "../ports/clock.ts";
import type { Stamps } from "../ports/stamps.ts";
import type { Deadline } from "./deadline.ts";
import { askingOrder, Round } from "./round.ts";
import type { RoundEnd, RoundModules } from "./round.ts";

export interface WritePlan {
  readonly key: RecordKey;
  readonly content: Content | undefined;
  readonly writeId: WriteId;
  readonly attempt: number;
  readonly durability: Durability;
  readonly preferenceList: readonly NodeId[];
  readonly r: number;
  readonly w: number;
  readonly deadline: Deadline;
}

export interface WriteModules extends RoundModules {
  readonly stamps: Stamps;
  readonly spareDelayMs: number;
}

export interface Written {
  readonly version: Version;
  readonly acked: number;
}

/**
 * Learn → mint → write. The learn round finds the newest stamp that any acknowledged write or
 * returned read can have; one stamp above it and above the own clock is minted, once; the record
 * goes to all N and W durable acknowledgements answer. The stamp never changes during the attempt:
 * a protocol that stamps first and re-stamps on conflict lets readers see v, z, v.
 *
 * @throws KvError `write-unavailable` when it is proven that nothing was applied, else `write-unknown`.
 */
export async function write(plan: WritePlan, modules: WriteModules): Promise<Written> {
  modules.stamps.prepare();
  const order = askingOrder(modules.replicas, plan.preferenceList);
  const newest = await learn(plan, order, modules);
  if (modules.buggify("pause-before-write")) await sleep(modules.clock, BUGGIFY_PAUSE_MS);
  const own = await mint(plan, modules);
  const version: Version = {
    stamp: stampAfter({ own, newest }),
    actor: modules.stamps.actor,
    writeId: plan.writeId,
    content: plan.content,
  };
  return { version, acked: await replicate(plan, order, version, modules) };
}

/** Minting may have to wait for the disk of this node, which may be slow or fail. */
async function mint(plan: WritePlan, { stamps }: WriteModules): Promise<Stamp> {
  let cause: unknown;
  try {
    const minted = stamps.mint();
    const own = minted instanceof Promise ? await plan.deadline.race(minted) : minted;
    if (own !== "deadline") return own;
  } catch (error) {
    cause = error;
  }
  throw failure(plan, {
    outcome: "not-applied",
    needed: plan.w,
    acked: 0,
    detail: "this node could not store its clock's lease in time; nothing was sent to be written",
    cause,
  });
}

async function learn(
  plan: WritePlan,
  order: readonly NodeId[],
  modules: WriteModules,
): Promise<Stamp> {
  const { key, deadline, r, w } = plan;
  const size = { n: order.length, r, w };
  const needed = learnQuorumSize(size);
  const quorum = new LearnQuorum({ replicas: order, needed, least: learnQuorumLeast(size) });
  const round = new Round<Stamp>(
    {
      name: "learn",
      replicas: order,
      first: needed,
      quorum,
      deadline,
      ask: (replica, onAnswer) => replica.learn(key, deadline.at, onAnswer),
    },
    modules.spareDelayMs,
    modules,
  );
  const end = await round.run();
  if (end === "met") return quorum.newest;
  throw failure(plan, {
    outcome: "not-applied",
    needed,
    acked: quorum.acked,
    detail: `${quorum.acked} of the ${needed} replicas that must be asked first answered${when(end)}; nothing was sent to be written`,
  });
}

async function replicate(
  plan: WritePlan,
  order: readonly NodeId[],
  version: Version,
  modules: WriteModules,
): Promise<number> {
  const { key, deadline, durability, w } = plan;
  const record = encodeRecord(key, version);
  let sendsLeft = modules.buggify("write-reaches-one-replica") ? 1 : order.length;
  const quorum = new WriteQuorum({ replicas: order, needed: w });
  const round = new Round<"applied">(
    {
      name: "write",
      replicas: order,
      first: order.length,
      quorum,
      deadline,
      ask: (replica, onAnswer) => {
        sendsLeft -= 1;
        if (sendsLeft >= 0) replica.write({ key, record, durability }, deadline.at, onAnswer);
      },
    },
    modules.spareDelayMs,
    modules,
  );
  const end = await round.run();
  if (end === "met") return quorum.acked;
  throw failure(plan, {
    outcome: quorum.failedOutcome(),
    needed: w,
    acked: quorum.acked,
    detail: `${quorum.acked} of the ${w} replicas that must acknowledge did${when(end)}`,
  });
}

function when(end: RoundEnd): string {
  return end === "deadline" ? " before the deadline" : "";
}

/** An earlier attempt of the same write may live even where this one proved that it did nothing. */
function failure(
  plan: WritePlan,
  facts: {
    outcome: "not-applied" | "unknown";
    needed: number;
    acked: number;
    detail: string;
    cause?: unknown;
  },
): KvError {
  const { detail, cause, ...data } = { ...facts, writeId: plan.writeId };
  if (data.outcome === "unknown") return new KvError("write-unknown", detail, data);
  if (plan.attempt > 1) {
    const more = `${detail}; an earlier attempt may have been applied`;
    return new KvError("write-unknown", more, { ...data, outcome: "unknown" });
  }
  return new KvError("write-unavailable", detail, data, { cause });
}
