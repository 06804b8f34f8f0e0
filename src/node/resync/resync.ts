import type { Answer } from "../../core/answer.ts";
import type { NodeId } from "../../core/ids.ts";
import type { ClusterDocument } from "../../core/layout/cluster-document.ts";
import { decodeScanAnswer } from "../../core/messages/answer.ts";
import type { DirectoryState, Heartbeat, HeartbeatAnswer } from "../../core/messages/heartbeat.ts";
import type { ScanPage, ScanRequest } from "../../core/messages/scan.ts";
import type { RecordKey } from "../../core/record-key.ts";
import type { DamagedRecord } from "../../core/version/record.ts";
import type { Clock, Instant } from "../../ports/clock.ts";
import type { ResyncView } from "../../ports/node-view.ts";
import type { PeerHandler } from "../../ports/peer-handler.ts";
import type { Storage, StorageWrite } from "../../ports/storage.ts";
import type { Telemetry } from "../../ports/telemetry.ts";
import type { Transport } from "../../ports/transport.ts";
import { askPeer } from "../peers/ask-peer.ts";
import type { Directory } from "../replica/directory.ts";
import { Copier } from "./copier.ts";
import type { CopierOptions } from "./copier.ts";
import { PeerMemory } from "./peer-memory.ts";
import { ScanServer } from "./scan-server.ts";
import { Wholeness } from "./wholeness.ts";
import type { WholenessOptions } from "./wholeness.ts";

export type ResyncOptions = CopierOptions & WholenessOptions;

interface ResyncModules {
  readonly clock: Clock;
  readonly directory: Directory;
  readonly document: () => ClusterDocument;
  /** A newer document is known of, with buckets that this one does not have, perhaps. */
  readonly isBehind: () => boolean;
  /** A stored record turned out to be damaged. */
  readonly onDamaged: (key: RecordKey, reason: DamagedRecord["reason"]) => void;
  /** Stores an entry, synced. */
  readonly put: (write: StorageWrite) => Promise<void>;
  readonly storage: Storage;
  readonly telemetry: Telemetry;
}

interface PeerModules {
  readonly transport: Transport;
  readonly isReachable: (peer: NodeId) => boolean;
  readonly replica: Pick<PeerHandler, "write">;
}

/**
 * Finds out whether this node's directory lacks what the node once acknowledged, keeps it from
 * answering questions while it does, and copies what is missing from the other replicas.
 */
export class Resync {
  readonly #options: ResyncOptions;
  readonly #modules: ResyncModules;
  readonly #memory: PeerMemory;
  readonly #wholeness: Wholeness;
  readonly #scans: ScanServer;
  #copier: Copier | undefined;
  #onJudged: (() => void)[] = [];

  private constructor(
    options: ResyncOptions,
    modules: ResyncModules,
    parts: { memory: PeerMemory; wholeness: Wholeness },
  ) {
    this.#options = options;
    this.#modules = modules;
    this.#memory = parts.memory;
    this.#wholeness = parts.wholeness;
    this.#scans = new ScanServer({ ...modules, isWhole: (partition) => this.isWhole(partition) });
    this.#wholeness.watch(() => this.#changed());
  }

  static async open(options: ResyncOptions, modules: ResyncModules): Promise<Resync> {
    const peers = modules.document().layout.others(options.id);
    const memory = await PeerMemory.open(peers, modules);
    const wholeness = await Wholeness.open(options, modules);
    return new Resync(options, modules, { memory, wholeness });
  }

  /** Begins to copy once there is something to copy. */
  start({ transport, isReachable, replica }: PeerModules): void {
    const asking = { ...this.#modules, transport };
    this.#copier = new Copier(this.#options, {
      ...this.#modules,
      isReachable,
      replica,
      wholeness: this.#wholeness,
      scan: (peer, scan, deadline) =>
        askPeer({ peer, request: { kind: "scan", scan }, deadline }, decodeScanAnswer, asking),
    });
    this.#copier.wake();
  }

  async close(): Promise<void> {
    await this.#copier?.close();
  }

  isWhole(partition: number): boolean {
    return this.#wholeness.isWhole(partition);
  }

  get isWholeEverywhere(): boolean {
    return this.#wholeness.isWholeEverywhere;
  }

  /** Resolves when every peer was heard and it is known whether there is anything to copy. */
  judged(): Promise<void> {
    if (this.#wholeness.isJudged) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onJudged.push(resolve);
    });
  }

  get view(): ResyncView | undefined {
    const { cause, missing, unconfirmed } = this.#wholeness;
    if (cause === undefined) return undefined;
    const obstacles = [...(this.#copier?.obstacles ?? [])].map(([node, obstacle]) => ({
      node,
      what: `a copy of its partitions: ${obstacle}`,
    }));
    const words = unconfirmed.map((node) => ({
      node,
      what: "its word on whether this node had an earlier directory",
    }));
    return { cause, partitions: missing.size, awaited: [...words, ...obstacles] };
  }

  remembered(peer: NodeId): DirectoryState | undefined {
    return this.#memory.remembered(peer);
  }

  onHeard(peer: NodeId, answer: HeartbeatAnswer): void {
    this.#memory.onHeard(peer, answer);
  }

  onAsked(heartbeat: Heartbeat): void {
    this.#wholeness.onAsked(heartbeat);
  }

  /** The cluster document is another one. */
  onDocument(): void {
    this.#wholeness.onDocument();
  }

  scan(request: ScanRequest, deadline: Instant): Promise<Answer<ScanPage>> {
    return this.#scans.scan(request, deadline);
  }

  #changed(): void {
    this.#copier?.wake();
    if (this.#wholeness.isJudged) for (const resolve of this.#onJudged.splice(0)) resolve();
  }
}
