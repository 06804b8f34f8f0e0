import type { Answer, Failure } from "../../core/answer.ts";
import { NO_STAMP } from "../../core/hlc.ts";
import type { Stamp } from "../../core/hlc.ts";
import type { DigestAnswer, LearnAnswer, ReadAnswer } from "../../core/messages/answer.ts";
import type { ListAnswer, ListRequest } from "../../core/messages/list.ts";
import type { MintAnswer, MintRequest } from "../../core/messages/mint.ts";
import { partitionOfRecordKey } from "../../core/record-key.ts";
import type { RecordKey } from "../../core/record-key.ts";
import { mergeModel } from "../../core/version/merge.ts";
import { findRecent } from "../../core/version/recent.ts";
import { digestOf } from "../../core/version/record.ts";
import type { KvRecord } from "../../core/version/record.ts";
import type { WriteIdHash } from "../../core/version/write-identity.ts";
import type { Instant } from "../../ports/clock.ts";
import type { PeerHandler, ReplicaWrite } from "../../ports/peer-handler.ts";
import type { CommitQueue } from "./commit-queue.ts";
import type { Lister } from "./lister.ts";
import type { ReadQueue } from "./read-queue.ts";

interface ReplicaModules {
  readonly reads: ReadQueue;
  readonly commits: CommitQueue;
  readonly minter: Pick<PeerHandler, "mint">;
  readonly lister: Pick<Lister, "page">;
  /** This node's hybrid logical clock as it reads now. */
  readonly clockReading: () => Stamp;
  /** False: the partition may lack what this node acknowledged, so what it holds proves nothing. */
  readonly isWhole: (partition: number) => boolean;
}

/** This node as a replica: its reads and commits, whoever coordinates. */
export class Replica implements PeerHandler {
  readonly #modules: ReplicaModules;

  constructor(modules: ReplicaModules) {
    this.#modules = modules;
  }

  read(key: RecordKey, deadline: Instant, onAnswer: (answer: Answer<ReadAnswer>) => void): void {
    const { clockReading } = this.#modules;
    this.#record(key, deadline, (answer) => {
      if (answer.kind !== "ok") return onAnswer(answer);
      onAnswer({ kind: "ok", value: { record: answer.value, clock: clockReading() } });
    });
  }

  digest(
    key: RecordKey,
    deadline: Instant,
    onAnswer: (answer: Answer<DigestAnswer>) => void,
  ): void {
    const { clockReading } = this.#modules;
    this.#record(key, deadline, (answer) => {
      if (answer.kind !== "ok") return onAnswer(answer);
      onAnswer({ kind: "ok", value: { digest: digestOf(answer.value), clock: clockReading() } });
    });
  }

  learn(
    { key, idHash }: { readonly key: RecordKey; readonly idHash: WriteIdHash },
    deadline: Instant,
    onAnswer: (answer: Answer<LearnAnswer>) => void,
  ): void {
    this.#record(key, deadline, (answer) => {
      if (answer.kind !== "ok") return onAnswer(answer);
      const record = answer.value;
      const value =
        record === undefined
          ? { newest: NO_STAMP, known: undefined }
          : {
              newest: mergeModel(record.mode).newest(record),
              known: findRecent(record.recent, idHash),
              ...(record.mode === "siblings" && { seen: record.context }),
            };
      onAnswer({ kind: "ok", value });
    });
  }

  write(
    write: ReplicaWrite,
    deadline: Instant,
    onAnswer: (answer: Answer<"applied">) => void,
  ): void {
    this.#modules.commits.write(write, deadline, onAnswer);
  }

  mint(
    request: MintRequest,
    deadline: Instant,
    onAnswer: (answer: Answer<MintAnswer>) => void,
  ): void {
    this.#modules.minter.mint(request, deadline, onAnswer);
  }

  list(
    request: ListRequest,
    deadline: Instant,
    onAnswer: (answer: Answer<ListAnswer>) => void,
  ): void {
    const { clockReading, isWhole, lister } = this.#modules;
    const areWhole = (): boolean => request.partitions.every(isWhole);
    if (!areWhole()) return onAnswer(RESYNCHRONISING);
    lister.page(request, deadline, (answer) => {
      if (!areWhole()) return onAnswer(RESYNCHRONISING);
      if (answer.kind !== "ok") return onAnswer(answer);
      onAnswer({ kind: "ok", value: { ...answer.value, clock: clockReading() } });
    });
  }

  #record(
    key: RecordKey,
    deadline: Instant,
    onAnswer: (answer: Answer<KvRecord | undefined>) => void,
  ): void {
    const { isWhole, reads } = this.#modules;
    const partition = partitionOfRecordKey(key);
    if (!isWhole(partition)) return onAnswer(RESYNCHRONISING);
    reads.read(key, deadline, (answer) =>
      // It may have turned out while the disk was read.
      onAnswer(isWhole(partition) ? answer : RESYNCHRONISING),
    );
  }
}

const RESYNCHRONISING: Failure = { kind: "refused", reason: "resynchronising" };
