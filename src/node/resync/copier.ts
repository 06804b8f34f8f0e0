import type { Answer, Failure } from "../../core/answer.ts";
import type { NodeId } from "../../core/ids.ts";
import type { ClusterDocument } from "../../core/layout/cluster-document.ts";
import { scanEntryBytes } from "../../core/messages/scan.ts";
import type { ScanPage, ScanRequest } from "../../core/messages/scan.ts";
import type { RecordKey } from "../../core/record-key.ts";
import { areEnough, sourcesOf } from "../../core/resync/sources.ts";
import type { Clock, Instant } from "../../ports/clock.ts";
import type { PeerHandler } from "../../ports/peer-handler.ts";
import type { Telemetry } from "../../ports/telemetry.ts";
import { Pauses } from "./pauses.ts";
import type { Wholeness } from "./wholeness.ts";

/** One page of one source is on its way at a time, and it must arrive and be stored within this. */
const PAGE_MS_MAX = 10_000;
/** A page that a busy node refused is asked for again so often, a pause apart, before it is given up. */
const PAGE_ATTEMPTS_MAX = 4;
const PAGE_PAUSE_MS = 100;
/** Between two walks through the missing partitions of which the first brought nothing. */
const WALK_PAUSE_MS = 250;
const WALK_PAUSE_MS_MAX = 5_000;

export interface CopierOptions {
  readonly id: NodeId;
  readonly resyncBytesPerSecond: number;
  readonly requestTimeoutMaxMs: number;
}

interface CopierModules {
  readonly clock: Clock;
  readonly document: () => ClusterDocument;
  readonly isReachable: (peer: NodeId) => boolean;
  readonly replica: Pick<PeerHandler, "write">;
  readonly scan: (peer: NodeId, scan: ScanRequest, deadline: Instant) => Promise<Answer<ScanPage>>;
  readonly telemetry: Telemetry;
  readonly wholeness: Wholeness;
}

/**
 * Copies the partitions that this node's directory lacks from enough other replicas, one page after
 * the other: what is copied is merged like any other record, so writes go on meanwhile.
 *
 * It begins `requestTimeoutMaxMs` after the loss was found out. A write that the lost directory
 * acknowledged may still be on its way to the others, and count this node among its W; by then its
 * coordinator has given up, or so many others hold it.
 */
export class Copier {
  readonly #options: CopierOptions;
  readonly #modules: CopierModules;
  readonly #pauses: Pauses;
  /** What stood last between this node and a copy of the peer's. */
  readonly #obstacles = new Map<NodeId, string>();
  #running: Promise<void> | undefined;

  constructor(options: CopierOptions, modules: CopierModules) {
    this.#options = options;
    this.#modules = modules;
    this.#pauses = new Pauses(modules.clock);
  }

  get obstacles(): ReadonlyMap<NodeId, string> {
    return this.#obstacles;
  }

  /** There may be something to copy. */
  wake(): void {
    if (this.#running !== undefined || this.#pauses.ended) return;
    if (this.#modules.wholeness.toCopy.length === 0) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async close(): Promise<void> {
    this.#pauses.end();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { telemetry, wholeness } = this.#modules;
    telemetry.log.info({ partitions: wholeness.toCopy.length }, "copying from other replicas");
    let pauseMs = WALK_PAUSE_MS;
    let settled: number | undefined;
    while (!this.#pauses.ended && wholeness.toCopy.length > 0) {
      if (settled !== wholeness.generation) {
        settled = wholeness.generation;
        await this.#pauses.pause(this.#options.requestTimeoutMaxMs);
        continue;
      }
      this.#obstacles.clear();
      const before = wholeness.toCopy.length;
      for (const partition of wholeness.toCopy) {
        if (this.#pauses.ended) return;
        await this.#copyPartition(partition);
      }
      const brought = wholeness.toCopy.length < before;
      pauseMs = brought ? WALK_PAUSE_MS : Math.min(2 * pauseMs, WALK_PAUSE_MS_MAX);
      if (wholeness.toCopy.length > 0) await this.#pauses.pause(pauseMs);
    }
    if (wholeness.isWholeEverywhere) telemetry.log.info({}, "the directory is whole again");
  }

  async #copyPartition(partition: number): Promise<void> {
    const { document, isReachable, wholeness } = this.#modules;
    const { generation } = wholeness;
    const at = { document: document(), partition, node: this.#options.id };
    const copied = new Set<NodeId>();
    for (const peer of sourcesOf(at.document, partition, at.node)) {
      if (areEnough(copied, at)) break;
      const obstacle = isReachable(peer) ? await this.#copyFrom(peer, partition) : "unreachable";
      if (obstacle === undefined) copied.add(peer);
      else this.#obstacles.set(peer, obstacle);
      if (this.#pauses.ended) return;
    }
    if (areEnough(copied, at)) await wholeness.copied(partition, generation);
  }

  /** @returns what stood in the way; undefined: everything that the peer holds is stored here. */
  async #copyFrom(peer: NodeId, partition: number): Promise<string | undefined> {
    let after: RecordKey | undefined;
    // Ends: keys only grow, a page holds one or ends the partition.
    for (;;) {
      const answer = await this.#persistently(peer, { partition, after });
      if (answer.kind !== "ok") return answer.reason;
      const { entries, ended } = answer.value;
      const bytes = entries.reduce((sum, e) => sum + scanEntryBytes(e.key, e.record.bytes), 0);
      if (ended || this.#pauses.ended) return ended ? undefined : "stopping";
      after = entries.at(-1)?.key;
      await this.#pauses.pause((1_000 * bytes) / this.#options.resyncBytesPerSecond);
    }
  }

  /** Fetches and stores one page; a refusal for want of resources is waited out, for a while. */
  async #persistently(peer: NodeId, scan: ScanRequest): Promise<Answer<ScanPage>> {
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#page(peer, scan);
      const result = answer.kind === "ok" ? "ok" : answer.reason;
      this.#modules.telemetry.metrics.resyncPages.with(peer, result).add();
      const isFinal = answer.kind === "ok" || FINAL.has(answer.reason);
      if (isFinal || attempt === PAGE_ATTEMPTS_MAX || this.#pauses.ended) return answer;
      await this.#pauses.pause(PAGE_PAUSE_MS * 2 ** attempt);
    }
  }

  async #page(peer: NodeId, request: ScanRequest): Promise<Answer<ScanPage>> {
    const { clock, scan, telemetry } = this.#modules;
    const deadline = clock.now() + PAGE_MS_MAX;
    const answer = await scan(peer, request, deadline);
    if (answer.kind !== "ok") return answer;
    const { entries } = answer.value;
    const stored = await Promise.all(entries.map((entry) => this.#store(entry, deadline)));
    telemetry.metrics.resyncRecords.with().add(entries.length);
    return stored.find((failure) => failure !== undefined) ?? answer;
  }

  #store(
    { key, record }: ScanPage["entries"][number],
    deadline: Instant,
  ): Promise<Failure | undefined> {
    const { replica } = this.#modules;
    return new Promise((resolve) => {
      const write = { key, record, durability: "sync", purpose: "repair" } as const;
      replica.write(write, deadline, (answer) =>
        resolve(answer.kind === "ok" ? undefined : answer),
      );
    });
  }
}

/** Asking the same peer for the same page again would bring the same. */
const FINAL: ReadonlySet<string> = new Set([
  "not-sent",
  "connection-lost",
  "epoch-mismatch",
  "resynchronising",
  "damaged-record",
  "stopping",
]);
