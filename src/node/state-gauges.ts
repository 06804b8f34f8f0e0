import type { NodeId } from "../core/ids.ts";
import type { ClusterDocument } from "../core/layout/cluster-document.ts";
import { partitionHealth } from "../core/layout/partition-health.ts";
import type { Telemetry } from "../ports/telemetry.ts";
import type { Membership } from "./membership/membership.ts";
import type { CommitQueue } from "./replica/commit-queue.ts";
import type { ReadQueue } from "./replica/read-queue.ts";
import type { RecordCache } from "./replica/record-cache.ts";
import { partitionsOf } from "../core/resync/sources.ts";
import type { Resync } from "./resync/resync.ts";

interface StateGaugesModules {
  readonly cache: RecordCache;
  readonly commits: CommitQueue;
  readonly document: () => ClusterDocument;
  readonly membership: Membership;
  readonly reads: ReadQueue;
  readonly resync: Resync;
  readonly telemetry: Telemetry;
}

/** The gauges that nobody keeps while things happen: they are set when somebody looks. */
export class StateGauges {
  readonly #id: NodeId;
  readonly #modules: StateGaugesModules;

  constructor({ id }: { readonly id: NodeId }, modules: StateGaugesModules) {
    this.#id = id;
    this.#modules = modules;
  }

  show(): void {
    const { cache, commits, reads, telemetry } = this.#modules;
    const { metrics } = telemetry;
    const document = this.#modules.document();
    metrics.layoutEpoch.with().set(document.layout.epoch.number);
    metrics.documentVersion.with().set(document.version);
    metrics.partitionsOwned.with().set(partitionsOf(document, this.#id).length);
    const health = partitionHealth(document, (node, partition) => this.#isThere(node, partition));
    for (const [state, count] of health) metrics.partitions.with(state).set(count);
    metrics.commitQueue.with().set(commits.length);
    metrics.readQueue.with().set(reads.length);
    metrics.cacheBytes.with().set(cache.bytes);
  }

  /** Which partitions a peer lacks it does not say: while it lacks any, it counts for none. */
  #isThere(node: NodeId, partition: number): boolean {
    const { membership, resync } = this.#modules;
    return node === this.#id ? resync.isWhole(partition) : membership.isWhole(node);
  }
}
