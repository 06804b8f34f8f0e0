import type { NodeId } from "../../core/ids.ts";
import type { ClusterDocument } from "../../core/layout/cluster-document.ts";
import { Tally } from "../../core/quorum/tally.ts";
import { bucketOfRecordKey, partitionOfRecordKey } from "../../core/record-key.ts";
import type { RecordKey } from "../../core/record-key.ts";
import { mergeModel } from "../../core/version/merge.ts";
import type { KvRecord } from "../../core/version/record.ts";
import type { Instant } from "../../ports/clock.ts";
import type { Replicas } from "../../ports/replicas.ts";

/** What enough other replicas hold of a key, together; `record` is undefined when they hold nothing. */
export interface Proof {
  readonly record: KvRecord | undefined;
}

interface Question {
  readonly key: RecordKey;
  readonly document: ClusterDocument;
  readonly replicas: Replicas;
  readonly deadline: Instant;
}

/**
 * Reads the key from its other replicas. A write that this replica acknowledged has W holders, so
 * N − W + 1 others include one of them even if this replica has forgotten it; what no W replicas
 * hold was neither acknowledged nor returned by a read. With W = 1 there are not so many others: then
 * nothing can be proven.
 *
 * @returns undefined when too few others answered.
 */
export function askOthers(question: Question): Promise<Proof | undefined> {
  const { key, document, replicas, deadline } = question;
  const properties = document.buckets.get(bucketOfRecordKey(key));
  if (properties === undefined) return Promise.resolve(undefined);
  const { n, w } = properties;
  const list = document.layout.preferenceList(partitionOfRecordKey(key), n);
  const others: readonly NodeId[] = list.filter((node) => node !== replicas.self);
  const needed = n - w + 1;
  if (others.length < needed) return Promise.resolve(undefined);
  const tally = new Tally({ replicas: others, needed });
  let merged: KvRecord | undefined;
  return new Promise((resolve) => {
    for (const node of others) {
      replicas.of(node).read(key, deadline, (answer) => {
        if (tally.verdict() !== "pending") return;
        tally.add(node, answer.kind);
        const record = answer.kind === "ok" ? answer.value.record : undefined;
        if (record !== undefined) merged = mergeModel(record.mode).merge(key, merged, record);
        const verdict = tally.verdict();
        if (verdict === "met") resolve({ record: merged });
        if (verdict === "unreachable") resolve(undefined);
      });
    }
  });
}
