import type { NodeId } from "../../core/ids.ts";
import type { ClusterDocument } from "../../core/layout/cluster-document.ts";
import type { DirectoryState, Heartbeat } from "../../core/messages/heartbeat.ts";
import { contradicts } from "../../core/resync/memory.ts";
import { partitionsOf } from "../../core/resync/sources.ts";
import type { Storage, StorageWrite } from "../../ports/storage.ts";
import type { Telemetry } from "../../ports/telemetry.ts";
import type { Directory } from "../replica/directory.ts";
import { NOTHING_MISSING, parseResyncEntry, RESYNC_KEY, resyncWrite } from "./resync-entry.ts";
import type { ResyncCause, ResyncEntry } from "./resync-entry.ts";

export interface WholenessOptions {
  readonly id: NodeId;
  /** For this start: what is lost is lost, and the directory is taken for whole. */
  readonly acceptDataLoss: boolean;
}

interface WholenessModules {
  readonly directory: Directory;
  readonly document: () => ClusterDocument;
  readonly isBehind: () => boolean;
  /** Stores an entry, synced. */
  readonly put: (write: StorageWrite) => Promise<void>;
  readonly telemetry: Telemetry;
}

/**
 * Which partitions of this node's directory may lack what the node once acknowledged. Such a
 * partition answers no read and no learn until it has been copied from enough others. The directory
 * cannot know it by itself: it is new, or a peer remembers more of this node than it has.
 * docs/design/001-resynchronising.md has the reasons.
 */
export class Wholeness {
  readonly #options: WholenessOptions;
  readonly #modules: WholenessModules;
  /** What the directory had when this run began. */
  readonly #found: DirectoryState;
  #entry: ResyncEntry;
  #missing: Set<number>;
  /** Counts the times at which everything became missing: a copy from before proves nothing then. */
  #generation = 0;
  /** Everything was missing at some time of this run: what else peers remember is covered by that. */
  #isRenewed: boolean;
  readonly #heard = new Set<NodeId>();
  /** Peers that know this directory and, of this node, no other. */
  readonly #confirmed = new Set<NodeId>();
  #onChange: () => void = () => {};

  private constructor(options: WholenessOptions, modules: WholenessModules, entry: ResyncEntry) {
    this.#options = options;
    this.#modules = modules;
    this.#found = modules.directory.state;
    this.#entry = entry;
    this.#missing = new Set(entry.missing);
    this.#isRenewed = modules.directory.isNew || options.acceptDataLoss;
    this.#show();
  }

  /** What belongs into a directory that is being made: nobody knows yet whether it is the first. */
  static firstEntries(document: ClusterDocument, node: NodeId): readonly StorageWrite[] {
    const missing = partitionsOf(document, node);
    if (document.layout.members.length === 1) return [];
    return [resyncWrite({ cause: "new", missing, settled: [] })];
  }

  /** @throws KvError `directory-damaged` */
  static async open(
    options: WholenessOptions,
    modules: WholenessModules & { readonly storage: Storage },
  ): Promise<Wholeness> {
    const [bytes] = await modules.storage.getMany([RESYNC_KEY]);
    const entry = bytes === undefined ? NOTHING_MISSING : parseResyncEntry(bytes);
    if (!options.acceptDataLoss) return new Wholeness(options, modules, entry);
    const { directory, telemetry } = modules;
    const accepted = {
      cause: undefined,
      missing: [],
      settled: settledWith(entry.settled, directory.state.directoryId),
    };
    await directory.replace([resyncWrite(accepted)]);
    telemetry.log.warn(
      { partitions: entry.missing.length },
      "data loss accepted: what only this node's lost directory held is gone, and reads will not tell",
    );
    return new Wholeness(options, modules, accepted);
  }

  isWhole(partition: number): boolean {
    return !this.#missing.has(partition);
  }

  get isWholeEverywhere(): boolean {
    return this.#missing.size === 0;
  }

  /** Partitions to be copied now; none while it is open whether there is anything to copy, or what. */
  get toCopy(): readonly number[] {
    const isOpen = this.#entry.cause === "new" || this.#modules.isBehind();
    return isOpen ? [] : [...this.#missing];
  }

  get missing(): ReadonlySet<number> {
    return this.#missing;
  }

  get cause(): ResyncCause | undefined {
    return this.#entry.cause;
  }

  get generation(): number {
    return this.#generation;
  }

  /** Peers whose word on a new directory is still awaited. */
  get unconfirmed(): readonly NodeId[] {
    if (this.#entry.cause !== "new") return [];
    return this.#peers().filter((peer) => !this.#confirmed.has(peer));
  }

  /** Every peer was heard, and it is known whether there is anything to copy. */
  get isJudged(): boolean {
    return this.#entry.cause !== "new" && this.#peers().every((peer) => this.#heard.has(peer));
  }

  /** Called whenever one of the above may have changed. */
  watch(onChange: () => void): void {
    this.#onChange = onChange;
  }

  /** Other buckets may have other replicas: what was copied for the former ones is not enough. */
  onDocument(): void {
    if (this.#entry.cause !== undefined) {
      const missing = partitionsOf(this.#modules.document(), this.#options.id);
      this.#generation += 1;
      this.#become({ ...this.#entry, missing });
      this.#storeLater(() => this.#modules.put(resyncWrite(this.#entry)));
    }
    this.#onChange();
  }

  /** Judges this node by what a peer remembers of it, before the peer is answered anything. */
  onAsked({ from, remembered }: Heartbeat): void {
    const { directory } = this.#modules;
    // The first word of a peer is from before this run: against it counts what was found. Later words
    // may be of what this run has announced.
    const isFirst = !this.#heard.has(from);
    this.#heard.add(from);
    if (remembered !== undefined) {
      const own = { ...directory.state, ...(isFirst && { position: this.#found.position }) };
      const isOurs = remembered.directoryId === directory.state.directoryId;
      if (contradicts(remembered, own, this.#entry.settled)) this.#contradicted(from, remembered);
      else if (isOurs && this.#entry.cause === "new") this.#confirm(from);
    }
    this.#onChange();
  }

  /** The partition holds what enough others hold, copied since `generation` began. */
  async copied(partition: number, generation: number): Promise<void> {
    if (generation !== this.#generation) return;
    try {
      await this.#modules.put(resyncWrite(without(this.#entry, partition)));
    } catch (error) {
      this.#notStored(error);
      return;
    }
    // Everything may have become missing, or more have been settled, while that was on its way.
    if (generation === this.#generation) this.#become(without(this.#entry, partition));
  }

  #contradicted(peer: NodeId, remembered: DirectoryState): void {
    const { directory, document, telemetry } = this.#modules;
    const own = directory.state;
    const settled = settledWith(this.#entry.settled, remembered.directoryId);
    if (this.#isRenewed) {
      const cause = this.#entry.cause === "new" ? "lost" : this.#entry.cause;
      if (cause !== this.#entry.cause) telemetry.log.warn({ peer }, LACKING);
      this.#entry = { ...this.#entry, cause, settled };
      return this.#storeLater(() => this.#modules.put(resyncWrite(this.#entry)));
    }
    telemetry.log.warn({ peer, remembered, found: this.#found }, LACKING);
    this.#isRenewed = true;
    this.#generation += 1;
    this.#become({
      cause: "lost",
      missing: partitionsOf(document(), this.#options.id),
      settled: settledWith(settled, own.directoryId),
    });
    // Mints as somebody new: what this directory has minted is not known to it.
    this.#storeLater(() => directory.replace([resyncWrite(this.#entry)]));
  }

  #confirm(peer: NodeId): void {
    if (this.#confirmed.has(peer)) return;
    this.#confirmed.add(peer);
    if (this.unconfirmed.length === 0) this.#storeLater(() => this.#becomeFirst());
  }

  /** Every peer knows this directory and no other: the node never had one that it could lack. */
  async #becomeFirst(): Promise<void> {
    const whole = { ...this.#entry, cause: undefined, missing: [] };
    try {
      await this.#modules.put(resyncWrite(whole));
    } catch (error) {
      this.#confirmed.clear();
      throw error;
    }
    // What came meanwhile has its own entry on the way.
    if (this.#entry.cause !== "new") return;
    this.#modules.telemetry.log.info({}, "this is the node's first directory: it is whole");
    this.#become(whole);
  }

  #storeLater(store: () => Promise<void>): void {
    store().then(
      () => this.#onChange(),
      (error: unknown) => this.#notStored(error),
    );
  }

  /** What is in memory holds until the node ends, and the next run will be told again. */
  #notStored(error: unknown): void {
    this.#modules.telemetry.log.warn({ err: error }, "the state of the copy was not stored");
  }

  #become(entry: ResyncEntry): void {
    this.#entry = entry;
    this.#missing = new Set(entry.missing);
    this.#show();
    this.#onChange();
  }

  #show(): void {
    this.#modules.telemetry.metrics.resyncPartitions.with().set(this.#missing.size);
  }

  #peers(): readonly NodeId[] {
    return this.#modules.document().layout.others(this.#options.id);
  }
}

function without(entry: ResyncEntry, partition: number): ResyncEntry {
  const missing = entry.missing.filter((other) => other !== partition);
  return { ...entry, cause: missing.length === 0 ? undefined : entry.cause, missing };
}

const LACKING =
  "this node's directory lacks what the node once had; it is being copied from others";

/** As many former directories as are remembered; one that was forgotten costs a copy, no truth. */
const SETTLED_MAX = 16;

function settledWith(settled: readonly string[], directoryId: string): readonly string[] {
  return [...settled.filter((other) => other !== directoryId), directoryId].slice(-SETTLED_MAX);
}
