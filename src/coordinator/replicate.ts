import type { Answer } from "../core/answer.ts";
import type { Durability } from "../core/bucket.ts";
import { KvError } from "../core/errors.ts";
import type { Stamp } from "../core/hlc.ts";
import type { NodeId } from "../core/ids.ts";
import { WriteQuorum } from "../core/quorum/write-quorum.ts";
import type { RecordKey } from "../core/record-key.ts";
import type { KvRecord } from "../core/version/record.ts";
import type { Content } from "../core/version/version.ts";
import type { WriteIdentity } from "../core/version/write-identity.ts";
import type { ReplicaWrite } from "../ports/peer-handler.ts";
import type { Deadline } from "./deadline.ts";
import { Round } from "./round.ts";
import type { RoundEnd, RoundModules } from "./round.ts";

export interface WritePlan {
  readonly key: RecordKey;
  readonly content: Content | undefined;
  readonly ttlSeconds: number | undefined;
  readonly identity: WriteIdentity;
  readonly attempt: number;
  readonly durability: Durability;
  readonly preferenceList: readonly NodeId[];
  readonly r: number;
  readonly w: number;
  readonly deadline: Deadline;
}

export interface ReplicateModules extends RoundModules {
  readonly spareDelayMs: number;
}

export interface Replicated {
  readonly record: KvRecord;
  /** Of the write at hand; the record may hold a newer version that superseded it. */
  readonly stamp: Stamp;
  readonly purpose: ReplicaWrite["purpose"];
  /** Given this node's own answer when the record is sent to it, before it is sent to others. */
  readonly watchOwn?: (answer: Promise<Answer<"applied">>) => void;
}

/**
 * Sends the record to all N, in this order, and waits for W durable acknowledgements.
 *
 * @returns how many there were.
 * @throws KvError `write-unavailable` or `no-space` when it is proven that nothing was applied, else
 * `write-unknown`.
 */
export async function replicate(
  plan: WritePlan,
  order: readonly NodeId[],
  { record, stamp, purpose, watchOwn }: Replicated,
  modules: ReplicateModules,
): Promise<number> {
  const { key, deadline, durability, w } = plan;
  const own = modules.replicas.of(modules.replicas.self);
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
        if (sendsLeft < 0) return;
        const write = { key, record, durability, purpose };
        if (watchOwn === undefined || replica !== own) {
          return replica.write(write, deadline.at, onAnswer);
        }
        watchOwn(
          new Promise((resolve) => {
            replica.write(write, deadline.at, (answer) => {
              resolve(answer);
              onAnswer(answer);
            });
          }),
        );
      },
    },
    modules.spareDelayMs,
    modules,
  );
  const end = await round.run();
  if (end === "met") return quorum.acked;
  throw writeFailure(plan, {
    outcome: quorum.failedOutcome(),
    needed: w,
    acked: quorum.acked,
    lacksSpace: quorum.lacksSpace,
    stamp,
    detail: `${quorum.acked} of the ${w} replicas that must acknowledge did${when(end)}${round.failures}`,
  });
}

export function when(end: RoundEnd): string {
  return end === "deadline" ? " before the deadline" : "";
}

/** An earlier attempt of the same write may live even where this one proved that it did nothing. */
export function writeFailure(
  { attempt, identity }: WritePlan,
  facts: {
    readonly outcome: "not-applied" | "unknown";
    readonly needed: number;
    readonly acked: number;
    readonly detail: string;
    readonly lacksSpace?: boolean;
    readonly stamp?: Stamp;
    readonly cause?: unknown;
  },
): KvError {
  const { outcome, needed, acked, stamp, cause } = facts;
  const data = { needed, acked, writeId: identity.writeId, ...(stamp !== undefined && { stamp }) };
  if (outcome === "not-applied" && attempt === 1) {
    const code = facts.lacksSpace === true ? "no-space" : "write-unavailable";
    return new KvError(code, facts.detail, data, { cause });
  }
  const earlier = outcome === "unknown" ? "" : "; an earlier attempt may have been applied";
  return new KvError("write-unknown", facts.detail + earlier, data, { cause });
}
