import type { Stamp } from "../hlc.ts";
import type { RecordKey } from "../record-key.ts";
import type { KvRecord } from "./record.ts";

/**
 * How the versions of one key become one record. Every way in which a version reaches a replica
 * (a client write, a read repair) is this one operation.
 */
export interface MergeModel {
  /**
   * Commutative, associative, idempotent (I1). Returns one of its arguments, by identity, when the
   * result equals it: `merge(key, stored, x) === stored` tells the replica that there is nothing to
   * write.
   */
  merge(key: RecordKey, stored: KvRecord | undefined, incoming: KvRecord): KvRecord;
  /** Whether both replicas hold the same; two absent records do. */
  equal(a: KvRecord | undefined, b: KvRecord | undefined): boolean;
  /** The greatest stamp in the record: a later write must be stamped above it. */
  newest(record: KvRecord): Stamp;
}
