import { msOfStamp, stampAfter } from "../core/hlc.ts";
import { recentOf } from "../core/version/recent.ts";
import { encodeRecord } from "../core/version/record.ts";
import type { Version, VersionIdentity } from "../core/version/version.ts";
import { BUGGIFY_PAUSE_MS } from "../ports/buggify.ts";
import { sleep } from "../ports/clock.ts";
import type { Stamps } from "../ports/stamps.ts";
import { confirmKnown } from "./known-write.ts";
import { learn } from "./learn.ts";
import { mintStamp } from "./mint-stamp.ts";
import { replicate } from "./replicate.ts";
import type { ReplicateModules, WritePlan } from "./replicate.ts";
import { askingOrder } from "./round.ts";

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
  const own = await mintStamp(plan, modules.stamps);
  const stamp = stampAfter({ own, newest });
  const { writeId } = plan.identity;
  const version = versionOf(plan, { stamp, actor: modules.stamps.actor });
  const record = encodeRecord(plan.key, version, recentOf(stamp, plan.identity));
  const acked = await replicate(plan, order, { record, stamp, purpose: "client" }, modules);
  return { version: { stamp, writeId }, acked };
}

/** What a write stores, once its dot is minted. */
export function versionOf(
  { content, identity, ttlSeconds }: WritePlan,
  { stamp, actor }: Pick<Version, "stamp" | "actor">,
): Version {
  const expiresAt = ttlSeconds === undefined ? undefined : msOfStamp(stamp) + ttlSeconds * 1_000;
  return { stamp, actor, writeId: identity.writeId, content, expiresAt };
}
