import type { Answer } from "../../core/answer.ts";
import { NO_STAMP } from "../../core/hlc.ts";
import type { Stamp } from "../../core/hlc.ts";
import type { RecordKey } from "../../core/record-key.ts";
import { mergeModel } from "../../core/version/merge.ts";
import type { KvRecord } from "../../core/version/record.ts";
import type { Instant } from "../../ports/clock.ts";
import type { PeerHandler, ReplicaWrite } from "../../ports/peer-handler.ts";
import type { CommitQueue } from "./commit-queue.ts";
import type { ReadQueue } from "./read-queue.ts";

/** This node as a replica: its reads and commits, whoever coordinates. */
export class Replica implements PeerHandler {
  readonly #reads: ReadQueue;
  readonly #commits: CommitQueue;

  constructor({ reads, commits }: { reads: ReadQueue; commits: CommitQueue }) {
    this.#reads = reads;
    this.#commits = commits;
  }

  read(
    key: RecordKey,
    deadline: Instant,
    onAnswer: (answer: Answer<KvRecord | undefined>) => void,
  ): void {
    this.#reads.read(key, deadline, onAnswer);
  }

  learn(key: RecordKey, deadline: Instant, onAnswer: (answer: Answer<Stamp>) => void): void {
    this.#reads.read(key, deadline, (answer) => {
      if (answer.kind !== "ok") return onAnswer(answer);
      const record = answer.value;
      const newest = record === undefined ? NO_STAMP : mergeModel(record.mode).newest(record);
      onAnswer({ kind: "ok", value: newest });
    });
  }

  write(
    write: ReplicaWrite,
    deadline: Instant,
    onAnswer: (answer: Answer<"applied">) => void,
  ): void {
    this.#commits.write(write, deadline, onAnswer);
  }
}
