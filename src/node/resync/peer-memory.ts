import type { NodeId } from "../../core/ids.ts";
import type { DirectoryState, HeartbeatAnswer } from "../../core/messages/heartbeat.ts";
import { remember } from "../../core/resync/memory.ts";
import type { Clock, Instant } from "../../ports/clock.ts";
import type { Storage, StorageWrite } from "../../ports/storage.ts";
import type { Telemetry } from "../../ports/telemetry.ts";
import { isDirectoryState } from "./directory-state.ts";
import { metaKey, seal, unseal } from "../replica/sealed.ts";

/** A peer that only moves on is written down so often; a new directory or epoch at once. */
const PERSIST_EVERY_MS = 5_000;

interface PeerMemoryModules {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Stores an entry, synced. */
  readonly put: (write: StorageWrite) => Promise<void>;
}

interface Known {
  readonly state: DirectoryState;
  /** What of it is on the disk, and when it was last written down. */
  readonly persisted: DirectoryState;
  readonly persistedAt: Instant;
}

/**
 * The greatest directory state that each peer ever announced, kept across restarts: a node cannot
 * know what it has forgotten, so its peers remember it.
 */
export class PeerMemory {
  readonly #modules: PeerMemoryModules;
  readonly #known: Map<NodeId, Known>;
  /** Peers whose state is on its way to the disk. */
  readonly #persisting = new Set<NodeId>();

  private constructor(modules: PeerMemoryModules, known: Map<NodeId, Known>) {
    this.#modules = modules;
    this.#known = known;
  }

  static async open(
    peers: readonly NodeId[],
    modules: PeerMemoryModules & { readonly storage: Storage },
  ): Promise<PeerMemory> {
    const entries = await modules.storage.getMany(peers.map(peerKey));
    const known = new Map<NodeId, Known>();
    for (const [i, peer] of peers.entries()) {
      const bytes = entries[i];
      if (bytes === undefined) continue;
      const state = unseal(peerKey(peer), bytes);
      const persistedAt = modules.clock.now();
      if (isDirectoryState(state)) known.set(peer, { state, persisted: state, persistedAt });
      else modules.telemetry.log.warn({ peer }, "what was remembered of the peer is damaged");
    }
    return new PeerMemory(modules, known);
  }

  remembered(peer: NodeId): DirectoryState | undefined {
    return this.#known.get(peer)?.state;
  }

  onHeard(peer: NodeId, answer: HeartbeatAnswer): void {
    const now = this.#modules.clock.now();
    const known = this.#known.get(peer);
    const state = remember(known?.state, answer);
    if (known === undefined || isOtherRun(known.state, state)) {
      // Told to nobody before it is on the disk: who hears it back relies on its being kept.
      void this.#persist(peer, state, now);
      return;
    }
    // Due even if the peer has not moved on since: it may never do so again.
    const isDue = state !== known.persisted && now - known.persistedAt >= PERSIST_EVERY_MS;
    this.#known.set(peer, { ...known, state, persistedAt: isDue ? now : known.persistedAt });
    if (isDue) void this.#persist(peer, state, now);
  }

  async #persist(peer: NodeId, state: DirectoryState, at: Instant): Promise<void> {
    if (this.#persisting.has(peer)) return;
    this.#persisting.add(peer);
    const key = peerKey(peer);
    try {
      await this.#modules.put({ key, value: seal(key, state) });
      const known = this.#known.get(peer);
      // It may have moved on meanwhile.
      const isSame = known !== undefined && !isOtherRun(known.state, state);
      const latest = isSame ? known.state : state;
      this.#known.set(peer, { state: latest, persisted: state, persistedAt: at });
    } catch (error) {
      this.#modules.telemetry.log.warn({ err: error, peer }, "the peer's state was not stored");
    } finally {
      this.#persisting.delete(peer);
    }
  }
}

export function peerKey(peer: NodeId): Uint8Array {
  return metaKey(`peer/${peer}`);
}

function isOtherRun(a: DirectoryState, b: DirectoryState): boolean {
  return a.directoryId !== b.directoryId || a.startEpoch !== b.startEpoch;
}
