import { DEFAULT_BUCKET } from "../bucket.ts";
import { defaultBucketProperties } from "../bucket-properties.ts";
import type { BucketProperties } from "../bucket.ts";
import type { PeerEntry } from "../config.ts";
import type { BucketName } from "../ids.ts";
import { FIRST_EPOCH_NUMBER, Layout } from "./layout.ts";

/**
 * What all members agree on: the layout and the buckets. `version` counts changes of the buckets,
 * the layout's epoch counts its own, so that creating a bucket makes no request stale.
 */
export interface ClusterDocument {
  readonly version: number;
  readonly layout: Layout;
  readonly buckets: ReadonlyMap<BucketName, BucketProperties>;
  /** Names of former buckets. None is used again: what they held would come back. */
  readonly removed: ReadonlySet<BucketName>;
}

/** The document of a first start: every node derives the same one from the same static peer list. */
export function firstClusterDocument(peers: readonly PeerEntry[]): ClusterDocument {
  return {
    version: 1,
    layout: new Layout({ number: FIRST_EPOCH_NUMBER, members: peers }),
    buckets: new Map([[DEFAULT_BUCKET, defaultBucketProperties(peers.length)]]),
    removed: new Set(),
  };
}
