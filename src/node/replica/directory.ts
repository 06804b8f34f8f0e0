import { hex } from "../../core/bytes.ts";
import { KvError } from "../../core/errors.ts";
import { isStamp, NO_STAMP } from "../../core/hlc.ts";
import type { Stamp } from "../../core/hlc.ts";
import { parseActorId } from "../../core/ids.ts";
import type { ActorId, ClusterId, NodeId } from "../../core/ids.ts";
import type { DirectoryState } from "../../core/messages/heartbeat.ts";
import type { Rng } from "../../ports/rng.ts";
import type { Storage, StorageWrite } from "../../ports/storage.ts";
import { metaKey, seal, unseal } from "./sealed.ts";

const FORMAT = 1;
const DIRECTORY_ID_BYTES = 8;
const IDENTITY_KEY = metaKey("identity");
const LEASE_KEY = metaKey("lease");
const POSITION_KEY = metaKey("position");

interface Identity {
  readonly format: number;
  readonly clusterId: string;
  readonly nodeId: string;
  /** Random, made with the directory: 16 hex digits. */
  readonly directoryId: string;
  readonly startEpoch: number;
  /** The last run ended by {@link Directory.close}: nothing that it minted is unknown to the directory. */
  readonly clean: boolean;
}

interface DirectoryModules {
  readonly storage: Storage;
  readonly rng: Rng;
  /** Stored together with the identity of a directory that is made by this start. */
  readonly firstEntries?: readonly StorageWrite[];
}

/**
 * What a data directory says of itself. Its actor is (random directory id, start epoch); the epoch
 * is raised by a synced write at every start that cannot prove a clean stop before, so whoever may
 * have forgotten something that it minted mints as somebody new.
 */
export class Directory {
  /** Stamps up to this one may have been minted by an earlier run. */
  readonly lease: Stamp;
  /** No identity was found: this start made the directory. */
  readonly isNew: boolean;
  readonly #modules: DirectoryModules;
  #identity: Identity;
  #position: number;
  #becoming: Promise<void> = Promise.resolve();

  private constructor(
    modules: DirectoryModules,
    found: { identity: Identity; lease: Stamp; position: number; isNew: boolean },
  ) {
    this.#modules = modules;
    this.#identity = found.identity;
    this.#position = found.position;
    this.lease = found.lease;
    this.isNew = found.isNew;
  }

  /** @throws KvError `directory-refused`, before anything is written. */
  static async open(
    { clusterId, nodeId }: { clusterId: ClusterId; nodeId: NodeId },
    modules: DirectoryModules,
  ): Promise<Directory> {
    const { storage, rng, firstEntries = [] } = modules;
    const [identityBytes, leaseBytes, positionBytes] = await storage.getMany([
      IDENTITY_KEY,
      LEASE_KEY,
      POSITION_KEY,
    ]);
    const before = identityBytes === undefined ? undefined : parseIdentity(identityBytes);
    if (before !== undefined) checkOwner(before, { clusterId, nodeId });
    const lease = leaseBytes === undefined ? NO_STAMP : parseLease(leaseBytes);
    const position = positionBytes === undefined ? 0 : parsePosition(positionBytes);
    const identity: Identity = {
      format: FORMAT,
      clusterId,
      nodeId,
      directoryId: before?.directoryId ?? hex(rng.bytes(DIRECTORY_ID_BYTES)),
      startEpoch: before === undefined ? 1 : before.startEpoch + (before.clean ? 0 : 1),
      clean: false,
    };
    const isNew = before === undefined;
    // Synced, the very first write of a new database above all: one that loses power before any
    // synced write does not open again.
    const writes = [identityWrite(identity), ...(isNew ? firstEntries : [])];
    await storage.batch(writes, { sync: true });
    return new Directory(modules, { identity, lease, position, isNew });
  }

  /**
   * Whether a database is this node's, as far as its identity can be read.
   * @throws KvError `directory-refused`
   */
  static async ownership(
    { clusterId, nodeId }: { clusterId: ClusterId; nodeId: NodeId },
    storage: Storage,
  ): Promise<"own" | "unknown"> {
    try {
      const [bytes] = await storage.getMany([IDENTITY_KEY]);
      if (bytes === undefined) return "unknown";
      checkOwner(parseIdentity(bytes), { clusterId, nodeId });
      return "own";
    } catch (error) {
      if (error instanceof KvError && error.code === "directory-refused") throw error;
      return "unknown";
    }
  }

  /** The entry that keeps a later directory of this node above its stamps; undefined: unreadable. */
  static async leaseOf(storage: Storage): Promise<Stamp | undefined> {
    try {
      const [bytes] = await storage.getMany([LEASE_KEY]);
      return bytes === undefined ? undefined : parseLease(bytes);
    } catch {
      return undefined;
    }
  }

  static leaseWrite(lease: Stamp): StorageWrite {
    return { key: LEASE_KEY, value: seal(LEASE_KEY, lease) };
  }

  get actor(): ActorId {
    const { directoryId, startEpoch } = this.#identity;
    return parseActorId(directoryId + startEpoch.toString(16).padStart(8, "0"));
  }

  /** What peers are told, and hold against a later directory of this node that has less. */
  get state(): DirectoryState {
    const { directoryId, startEpoch } = this.#identity;
    return { directoryId, startEpoch, position: this.#position };
  }

  /** Goes into each synced batch of records, and says that it is one more than there were before. */
  positionWrite(): { readonly key: Uint8Array; readonly value: Uint8Array } {
    return { key: POSITION_KEY, value: seal(POSITION_KEY, this.#position + 1) };
  }

  /** The batch that held {@link positionWrite} is on the disk. */
  advance(): void {
    this.#position += 1;
  }

  /** Raises the start epoch: what a failed write left in doubt may be forgotten, as at a crash. */
  async renew(): Promise<void> {
    await this.#become((now) => ({ ...now, startEpoch: now.startEpoch + 1 }), []);
  }

  /**
   * Goes on as a new directory, because this one lacks what its node once acknowledged: nobody knows
   * which epochs it has forgotten. `entries` are stored with the new identity or not at all.
   */
  async replace(entries: readonly StorageWrite[]): Promise<void> {
    const directoryId = hex(this.#modules.rng.bytes(DIRECTORY_ID_BYTES));
    await this.#become((now) => ({ ...now, directoryId, startEpoch: 1 }), entries);
  }

  /** One after the other: none takes back what another has stored meanwhile. */
  #become(next: (now: Identity) => Identity, entries: readonly StorageWrite[]): Promise<void> {
    const become = async (): Promise<void> => {
      const identity = next(this.#identity);
      const { storage } = this.#modules;
      await storage.batch([identityWrite(identity), ...entries], { sync: true });
      this.#identity = identity;
    };
    const turn = this.#becoming.then(become);
    this.#becoming = turn.catch(() => {});
    return turn;
  }

  /** Proves to the next start that nothing was forgotten. Call it after the last commit. */
  async close(lastMinted: Stamp): Promise<void> {
    const clean = identityWrite({ ...this.#identity, clean: true });
    const { storage } = this.#modules;
    await storage.batch([clean, Directory.leaseWrite(lastMinted)], { sync: true });
  }
}

function identityWrite(identity: Identity): StorageWrite {
  return { key: IDENTITY_KEY, value: seal(IDENTITY_KEY, identity) };
}

function parseIdentity(bytes: Uint8Array): Identity {
  const value = unseal(IDENTITY_KEY, bytes);
  // First of all, because a newer format may have other fields.
  const format = formatOf(value);
  if (format !== undefined && format > FORMAT) {
    throw new KvError(
      "directory-refused",
      `the data directory has format ${format}; this version reads up to ${FORMAT}`,
    );
  }
  if (!isIdentity(value)) {
    throw new KvError("directory-damaged", "the directory's identity entry is damaged");
  }
  return value;
}

function formatOf(value: unknown): number | undefined {
  if (typeof value !== "object" || value === null || !("format" in value)) return undefined;
  return typeof value.format === "number" ? value.format : undefined;
}

function isIdentity(value: unknown): value is Identity {
  if (typeof value !== "object" || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  return (
    fields.get("format") === FORMAT &&
    typeof fields.get("clusterId") === "string" &&
    typeof fields.get("nodeId") === "string" &&
    typeof fields.get("directoryId") === "string" &&
    typeof fields.get("startEpoch") === "number" &&
    typeof fields.get("clean") === "boolean"
  );
}

function parseLease(bytes: Uint8Array): Stamp {
  const value = unseal(LEASE_KEY, bytes);
  if (typeof value !== "number" || !isStamp(value)) {
    throw new KvError("directory-damaged", "the directory's clock lease entry is damaged");
  }
  return value;
}

function parsePosition(bytes: Uint8Array): number {
  const value = unseal(POSITION_KEY, bytes);
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw new KvError("directory-damaged", "the directory's position entry is damaged");
  }
  return value;
}

function checkOwner(identity: Identity, mine: { clusterId: string; nodeId: string }): void {
  const refuse = (what: string): never => {
    throw new KvError("directory-refused", `the data directory ${what}`);
  };
  if (identity.clusterId !== mine.clusterId) {
    refuse(`belongs to cluster '${identity.clusterId}', not '${mine.clusterId}'`);
  }
  if (identity.nodeId !== mine.nodeId) {
    refuse(`belongs to node '${identity.nodeId}', not '${mine.nodeId}'`);
  }
}
