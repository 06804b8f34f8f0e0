import type { Answer } from "../core/answer.ts";
import type { Durability } from "../core/bucket.ts";
import type { DigestAnswer, LearnAnswer, ReadAnswer } from "../core/messages/answer.ts";
import type { ListAnswer, ListRequest } from "../core/messages/list.ts";
import type { MintAnswer, MintRequest } from "../core/messages/mint.ts";
import type { RecordKey } from "../core/record-key.ts";
import type { KvRecord } from "../core/version/record.ts";
import type { WriteIdHash } from "../core/version/write-identity.ts";
import type { Instant } from "./clock.ts";

export interface ReplicaWrite {
  readonly key: RecordKey;
  readonly record: KvRecord;
  readonly durability: Durability;
  /** A repair brings what other replicas hold already: it is taken also where clients' writes are not. */
  readonly purpose: "client" | "repair";
}

/**
 * What one replica does for a coordinator. The local replica and every remote one are this same
 * interface. Each call answers exactly once, perhaps before it returns; a request whose deadline
 * has passed is refused, not done late.
 */
export interface PeerHandler {
  read(key: RecordKey, deadline: Instant, onAnswer: (answer: Answer<ReadAnswer>) => void): void;
  /** As `read`, but only by what two records differ. */
  digest(key: RecordKey, deadline: Instant, onAnswer: (answer: Answer<DigestAnswer>) => void): void;
  /** The newest stamp that the replica stores for the key, and what it knows of this write. */
  learn(
    question: { readonly key: RecordKey; readonly idHash: WriteIdHash },
    deadline: Instant,
    onAnswer: (answer: Answer<LearnAnswer>) => void,
  ): void;
  /**
   * Merges the record into what is stored. `ok` means that the result, this record or one that
   * supersedes it, has the durability asked for.
   */
  write(
    write: ReplicaWrite,
    deadline: Instant,
    onAnswer: (answer: Answer<"applied">) => void,
  ): void;
  /** A page of the keys of some of its partitions; refused if anything in it is in doubt. */
  list(
    request: ListRequest,
    deadline: Instant,
    onAnswer: (answer: Answer<ListAnswer>) => void,
  ): void;
  /** Coordinates a write of a siblings bucket: its version is minted by a replica of its key. */
  mint(
    request: MintRequest,
    deadline: Instant,
    onAnswer: (answer: Answer<MintAnswer>) => void,
  ): void;
}
