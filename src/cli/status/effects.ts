import type { ClusterStatus } from "../../client/cluster-status.ts";
import { parseAddress } from "../../core/config.ts";
import { KvError } from "../../core/errors.ts";
import { parseNodeId, parseZone } from "../../core/ids.ts";
import { Layout } from "../../core/layout/layout.ts";
import { learnQuorumLeast } from "../../core/quorum/learn-quorum.ts";

type BucketStatus = ClusterStatus["buckets"][number];

/** What the members that do not serve mean for the clients of one bucket, at its own R and W. */
export interface BucketEffect {
  readonly bucket: string;
  readonly n: number;
  readonly r: number;
  readonly w: number;
  readonly partitions: number;
  /** Partitions whose keys cannot be read; as many at most when a member lacks a part of its own. */
  readonly unreadable: number;
  readonly unwritable: number;
  /** Partitions that not even r=one reads. */
  readonly lost: number;
}

/** Members that do not do all of their work, by what they do not do. */
export interface Absent {
  /** Nobody that was asked reaches them. */
  readonly down: ReadonlySet<string>;
  /** They answer no reads, in some partitions at least. */
  readonly unread: ReadonlySet<string>;
  /** They take no writes. */
  readonly full: ReadonlySet<string>;
}

/** Members differ on who is down while a network is cut; then the one that reaches most counts. */
export function absentOf(statuses: readonly ClusterStatus[]): Absent {
  const named = (holds: (status: ClusterStatus) => boolean) =>
    new Set(statuses.filter(holds).map(({ node }) => node));
  const unreached = statuses.map(
    ({ members }) =>
      new Set(members.filter(({ state }) => state === "unreachable").map(({ id }) => id)),
  );
  const [down = new Set<string>()] = unreached.toSorted((a, b) => a.size - b.size);
  return {
    down,
    unread: named(({ resync }) => typeof resync === "object" && resync !== null),
    full: named(({ state }) => state === "read-only"),
  };
}

/**
 * Counts for each bucket the partitions that are left with too few replicas. A write needs more than
 * W that store it: it first learns what the key has seen (docs/ARCHITECTURE.md).
 *
 * @returns nothing if this kv would place keys otherwise than the nodes do.
 */
export function effectsOf(status: ClusterStatus, absent: Absent): readonly BucketEffect[] {
  const layout = layoutOf(status);
  if (layout === undefined) return [];
  return status.buckets.map((bucket) => effectOn(bucket, layout, absent));
}

function effectOn(
  bucket: BucketStatus,
  layout: Layout,
  { down, unread, full }: Absent,
): BucketEffect {
  const { n, r, w } = bucket;
  const learners = learnQuorumLeast({ n, r, w });
  const counts = { unreadable: 0, unwritable: 0, lost: 0 };
  for (let partition = 0; partition < layout.partitionCount; partition += 1) {
    const up = layout.preferenceList(partition, n).filter((id) => !down.has(id));
    const reading = up.filter((id) => !unread.has(id)).length;
    const writing = up.filter((id) => !full.has(id)).length;
    if (reading < r) counts.unreadable += 1;
    if (reading < 1) counts.lost += 1;
    if (writing < w || reading < learners) counts.unwritable += 1;
  }
  return { bucket: bucket.name, n, r, w, partitions: layout.partitionCount, ...counts };
}

/** Placement is a function of the members. Its hash tells whether the nodes compute the same one. */
function layoutOf({ epoch, epochHash, members }: ClusterStatus): Layout | undefined {
  try {
    const layout = new Layout({
      number: epoch,
      members: members.map(({ id, zone, peerAddress }) => ({
        id: parseNodeId(id),
        zone: zone === null ? undefined : parseZone(zone),
        address: parseAddress(peerAddress),
      })),
    });
    return layout.epoch.hash.toString(16).padStart(8, "0") === epochHash ? layout : undefined;
  } catch (error) {
    // A newer node may name its members otherwise.
    if (error instanceof KvError) return undefined;
    throw error;
  }
}
