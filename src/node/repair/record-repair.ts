import type { Answer } from "../../core/answer.ts";
import type { ClusterDocument } from "../../core/layout/cluster-document.ts";
import { bucketOfRecordKey } from "../../core/record-key.ts";
import type { RecordKey } from "../../core/record-key.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { Replicas } from "../../ports/replicas.ts";
import type { Telemetry } from "../../ports/telemetry.ts";
import type { CommitQueue } from "../replica/commit-queue.ts";
import type { Quarantine } from "../replica/quarantine.ts";
import { askOthers } from "./proof.ts";

const REPAIRS_IN_FLIGHT_MAX = 4;
const REPAIR_TIMEOUT_MS = 2_000;
/** The pause after a failed attempt; doubles with each. */
const RETRY_MS = 500;
const RETRY_MS_MAX = 60_000;

interface RecordRepairModules {
  readonly clock: Clock;
  readonly commits: CommitQueue;
  readonly document: () => ClusterDocument;
  readonly quarantine: Quarantine;
  /** From then on this node mints as somebody new. */
  readonly renewActor: () => Promise<void>;
  readonly replicas: Replicas;
  readonly telemetry: Telemetry;
}

interface Task {
  readonly key: RecordKey;
  readonly retryMs: number;
}

/**
 * Repairs what is in quarantine, by itself: no client has to touch the key again. A few keys at a
 * time, each from its other replicas, as often as it takes. As many keys wait as are in quarantine,
 * which is bounded.
 *
 * Not before `requestTimeoutMaxMs` have passed: a write that this replica acknowledged before it lost
 * it may still be on its way to the others, and count this replica among its W. By then its
 * coordinator has given up, or so many others hold it.
 */
export class RecordRepair {
  readonly #modules: RecordRepairModules;
  readonly #pauses = new Set<Timer>();
  #due: Task[] = [];
  #inFlight = 0;
  #stopped = false;

  constructor(
    { requestTimeoutMaxMs }: { requestTimeoutMaxMs: number },
    modules: RecordRepairModules,
  ) {
    this.#modules = modules;
    modules.quarantine.watch((key) =>
      this.#runLater({ key, retryMs: RETRY_MS }, requestTimeoutMaxMs),
    );
  }

  stop(): void {
    this.#stopped = true;
    for (const pause of this.#pauses) pause.cancel();
  }

  #start(): void {
    while (!this.#stopped && this.#inFlight < REPAIRS_IN_FLIGHT_MAX) {
      const task = this.#due.shift();
      if (task === undefined) return;
      this.#inFlight += 1;
      void this.#run(task);
    }
  }

  async #run(task: Task): Promise<void> {
    const result = await this.#repair(task.key);
    this.#modules.telemetry.metrics.recordRepairs.with(result).add();
    this.#inFlight -= 1;
    if (result !== "repaired") {
      const retryMs = Math.min(2 * task.retryMs, RETRY_MS_MAX);
      this.#runLater({ ...task, retryMs }, task.retryMs);
    }
    this.#start();
  }

  async #repair(key: RecordKey): Promise<"repaired" | "unproven" | "refused"> {
    const { clock, commits, document, replicas } = this.#modules;
    const deadline = clock.now() + REPAIR_TIMEOUT_MS;
    const proof = await askOthers({ key, document: document(), replicas, deadline });
    if (proof === undefined) return "unproven";
    if (!(await this.#becomeAnother(key))) return "refused";
    const answer = await new Promise<Answer<"applied">>((resolve) => {
      commits.prove({ key, record: proof.record }, deadline, resolve);
    });
    return answer.kind === "ok" ? "repaired" : "refused";
  }

  /**
   * What a damaged record held of this node's own minting may not be among what the others hold, and a
   * later version of the same actor would cover it. @returns whether that is provided for.
   */
  async #becomeAnother(key: RecordKey): Promise<boolean> {
    const properties = this.#modules.document().buckets.get(bucketOfRecordKey(key));
    if (properties?.mode !== "siblings") return true;
    try {
      await this.#modules.renewActor();
      return true;
    } catch (error) {
      this.#modules.telemetry.log.warn({ err: error }, "no new actor could be stored");
      return false;
    }
  }

  #runLater(task: Task, pauseMs: number): void {
    if (this.#stopped) return;
    const pause = this.#modules.clock.after(pauseMs, () => {
      this.#pauses.delete(pause);
      this.#due.push(task);
      this.#start();
    });
    this.#pauses.add(pause);
  }
}
