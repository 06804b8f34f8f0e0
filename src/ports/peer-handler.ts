import type { Answer } from "../core/answer.ts";
import type { Durability } from "../core/bucket.ts";
import type { Stamp } from "../core/hlc.ts";
import type { RecordKey } from "../core/record-key.ts";
import type { KvRecord } from "../core/version/record.ts";
import type { Instant } from "./clock.ts";

export interface ReplicaWrite {
  readonly key: RecordKey;
  readonly record: KvRecord;
  readonly durability: Durability;
}

/**
 * What one replica does for a coordinator. The local replica and every remote one are this same
 * interface. Each call answers exactly once, perhaps before it returns; a request whose deadline
 * has passed is refused, not done late.
 */
export interface PeerHandler {
  read(
    key: RecordKey,
    deadline: Instant,
    onAnswer: (answer: Answer<KvRecord | undefined>) => void,
  ): void;
  /** The newest stamp that the replica stores for the key. */
  learn(key: RecordKey, deadline: Instant, onAnswer: (answer: Answer<Stamp>) => void): void;
  /**
   * Merges the record into what is stored. `ok` means that the result, this record or one that
   * supersedes it, has the durability asked for.
   */
  write(
    write: ReplicaWrite,
    deadline: Instant,
    onAnswer: (answer: Answer<"applied">) => void,
  ): void;
}
