import type { Answer } from "../core/answer.ts";
import { KvError } from "../core/errors.ts";
import type { Stamp } from "../core/hlc.ts";
import type { NodeId } from "../core/ids.ts";
import type { ReadAnswer } from "../core/messages/answer.ts";
import type { Witness } from "../core/quorum/learn-quorum.ts";
import { Tally } from "../core/quorum/tally.ts";
import type { KvRecord } from "../core/version/record.ts";
import { replicate, writeFailure } from "./replicate.ts";
import type { ReplicateModules, WritePlan } from "./replicate.ts";
import { Round } from "./round.ts";
import type { Written } from "./write.ts";

/**
 * Acknowledges a write that a replica has merged already, be it live or superseded by now: the record
 * that holds it goes to a W quorum, as it is, so that no second incarnation of the write comes about.
 *
 * @throws KvError `write-id-reused` when the id stands for other content; `write-unknown`.
 */
export async function confirmKnown(
  plan: WritePlan,
  order: readonly NodeId[],
  witnesses: readonly Witness[],
  modules: ReplicateModules,
): Promise<Written> {
  const { writeId, contentHash } = plan.identity;
  const same = witnesses.filter(({ write }) => write.contentHash === contentHash);
  const newest = same.toSorted((a, b) => b.write.stamp - a.write.stamp)[0];
  if (newest === undefined) {
    throw new KvError("write-id-reused", `'${writeId}' was written with other content`, {
      writeId,
      outcome: plan.attempt === 1 ? "not-applied" : "unknown",
    });
  }
  const { stamp } = newest.write;
  const holders = same.filter(({ write }) => write.stamp === stamp).map(({ node }) => node);
  modules.telemetry.metrics.knownWrites.with().add();
  const record = await recordOfAny(plan, { stamp, holders }, modules);
  const acked = await replicate(plan, order, { record, stamp, purpose: "repair" }, modules);
  return { version: { stamp, writeId }, acked };
}

/** The record of any of the replicas that know the write. */
async function recordOfAny(
  plan: WritePlan,
  { stamp, holders }: { readonly stamp: Stamp; readonly holders: readonly NodeId[] },
  modules: ReplicateModules,
): Promise<KvRecord> {
  const { key, deadline } = plan;
  const tally = new Tally({ replicas: holders, needed: 1 });
  let record: KvRecord | undefined;
  const quorum = {
    add(node: NodeId, answer: Answer<ReadAnswer>): void {
      const held = answer.kind === "ok" ? answer.value.record : undefined;
      record ??= held;
      // Nothing held means that the disk lost it since: as good as no answer.
      tally.add(node, answer.kind === "ok" && held === undefined ? "refused" : answer.kind);
    },
    verdict: () => tally.verdict(),
  };
  const round = new Round<ReadAnswer>(
    {
      name: "read",
      replicas: holders,
      first: 1,
      quorum,
      deadline,
      ask: (replica, onAnswer) => replica.read(key, deadline.at, onAnswer),
    },
    modules.spareDelayMs,
    modules,
  );
  await round.run();
  if (record !== undefined) return record;
  throw writeFailure(plan, {
    outcome: "unknown",
    needed: 1,
    acked: 0,
    stamp,
    detail: "a replica knows this write, but its record could not be fetched",
  });
}
