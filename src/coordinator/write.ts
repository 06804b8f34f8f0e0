import { msOfStamp, stampAfter } from "../core/hlc.ts";
import type { Stamp } from "../core/hlc.ts";
import type { NodeId } from "../core/ids.ts";
import type { LearnAnswer } from "../core/messages/answer.ts";
import { LearnQuorum, learnQuorumLeast, learnQuorumSize } from "../core/quorum/learn-quorum.ts";
import { recentOf } from "../core/version/recent.ts";
import { encodeRecord } from "../core/version/record.ts";
import type { Version, VersionIdentity } from "../core/version/version.ts";
import { BUGGIFY_PAUSE_MS } from "../ports/buggify.ts";
import { sleep } from "../ports/clock.ts";
import type { Stamps } from "../ports/stamps.ts";
import { storageErrorKind } from "../ports/storage.ts";
import { confirmKnown } from "./known-write.ts";
import { replicate, when, writeFailure } from "./replicate.ts";
import type { ReplicateModules, WritePlan } from "./replicate.ts";
import { askingOrder, Round } from "./round.ts";

export interface WriteModules extends ReplicateModules {
  readonly stamps: Stamps;
}

export interface Written {
  readonly version: VersionIdentity;
  readonly acked: number;
}

/**
 * Learn → mint → write. The learn round finds the newest stamp that any acknowledged write or
 * returned read can have, and whether the write is known already; one stamp above it and above the
 * own clock is minted, once; the record goes to all N and W durable acknowledgements answer. The
 * stamp never changes during the attempt: a protocol that stamps first and re-stamps on conflict lets
 * readers see v, z, v.
 *
 * @throws KvError `write-unavailable`, `no-space` when it is proven that nothing was applied;
 * `write-id-reused`; else `write-unknown`.
 */
export async function write(plan: WritePlan, modules: WriteModules): Promise<Written> {
  modules.stamps.prepare();
  const order = askingOrder(modules.replicas, plan.preferenceList);
  const { newest, witnesses } = await learn(plan, order, modules);
  if (witnesses.length > 0) return confirmKnown(plan, order, witnesses, modules);
  if (modules.buggify("pause-before-write")) await sleep(modules.clock, BUGGIFY_PAUSE_MS);
  const own = await mint(plan, modules);
  const stamp = stampAfter({ own, newest });
  const { writeId } = plan.identity;
  const version: Version = {
    stamp,
    actor: modules.stamps.actor,
    writeId,
    content: plan.content,
    expiresAt:
      plan.ttlSeconds === undefined ? undefined : msOfStamp(stamp) + plan.ttlSeconds * 1_000,
  };
  const record = encodeRecord(plan.key, version, recentOf(stamp, plan.identity));
  const acked = await replicate(plan, order, { record, stamp, purpose: "client" }, modules);
  return { version: { stamp, writeId }, acked };
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
  throw writeFailure(plan, {
    outcome: "not-applied",
    needed: plan.w,
    acked: 0,
    detail: "this node could not store its clock's lease in time; nothing was sent to be written",
    lacksSpace: storageErrorKind(cause) === "no-space",
    cause,
  });
}

async function learn(
  plan: WritePlan,
  order: readonly NodeId[],
  modules: WriteModules,
): Promise<Pick<LearnQuorum, "newest" | "witnesses">> {
  const { key, deadline, identity, r, w } = plan;
  const size = { n: order.length, r, w };
  const needed = learnQuorumSize(size);
  const quorum = new LearnQuorum({ replicas: order, needed, least: learnQuorumLeast(size) });
  const question = { key, idHash: identity.idHash };
  const round = new Round<LearnAnswer>(
    {
      name: "learn",
      replicas: order,
      first: needed,
      quorum,
      deadline,
      ask: (replica, onAnswer) => replica.learn(question, deadline.at, onAnswer),
    },
    modules.spareDelayMs,
    modules,
  );
  const end = await round.run();
  if (end === "met") return quorum;
  throw writeFailure(plan, {
    outcome: "not-applied",
    needed,
    acked: quorum.acked,
    detail: `${quorum.acked} of the ${needed} replicas that must be asked first answered${when(end)}${round.failures}; nothing was sent to be written`,
  });
}
