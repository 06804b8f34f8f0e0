import { hex } from "../../core/bytes.ts";
import { KvError } from "../../core/errors.ts";
import { isStamp, NO_STAMP } from "../../core/hlc.ts";
import type { Stamp } from "../../core/hlc.ts";
import { parseActorId } from "../../core/ids.ts";
import type { ActorId, ClusterId, NodeId } from "../../core/ids.ts";
import type { Rng } from "../../ports/rng.ts";
import type { Storage, StorageWrite } from "../../ports/storage.ts";
import { metaKey, seal, unseal } from "./sealed.ts";

const FORMAT = 1;
const DIRECTORY_ID_BYTES = 8;
const IDENTITY_KEY = metaKey("identity");
const LEASE_KEY = metaKey("lease");

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

/**
 * What a data directory says of itself. Its actor is (random directory id, start epoch); the epoch
 * is raised by a synced write at every start that cannot prove a clean stop before, so whoever may
 * have forgotten something that it minted mints as somebody new.
 */
export class Directory {
  /** Stamps up to this one may have been minted by an earlier run. */
  readonly lease: Stamp;
  readonly #storage: Storage;
  #identity: Identity;

  private constructor(storage: Storage, identity: Identity, lease: Stamp) {
    this.#storage = storage;
    this.#identity = identity;
    this.lease = lease;
  }

  get actor(): ActorId {
    const { directoryId, startEpoch } = this.#identity;
    return parseActorId(directoryId + startEpoch.toString(16).padStart(8, "0"));
  }

  /** @throws KvError `directory-refused`, before anything is written. */
  static async open(
    { clusterId, nodeId }: { clusterId: ClusterId; nodeId: NodeId },
    { storage, rng }: { storage: Storage; rng: Rng },
  ): Promise<Directory> {
    const [identityBytes, leaseBytes] = await storage.getMany([IDENTITY_KEY, LEASE_KEY]);
    const before = identityBytes === undefined ? undefined : parseIdentity(identityBytes);
    if (before !== undefined) checkOwner(before, { clusterId, nodeId });
    const lease = leaseBytes === undefined ? NO_STAMP : parseLease(leaseBytes);
    const identity: Identity = {
      format: FORMAT,
      clusterId,
      nodeId,
      directoryId: before?.directoryId ?? hex(rng.bytes(DIRECTORY_ID_BYTES)),
      startEpoch: before === undefined ? 1 : before.startEpoch + (before.clean ? 0 : 1),
      clean: false,
    };
    // Synced, the very first write of a new database above all: one that loses power before any
    // synced write does not open again.
    await storage.batch([identityWrite(identity)], { sync: true });
    return new Directory(storage, identity, lease);
  }

  static leaseWrite(lease: Stamp): StorageWrite {
    return { key: LEASE_KEY, value: seal(LEASE_KEY, lease) };
  }

  /** Raises the start epoch: what a failed write left in doubt may be forgotten, as at a crash. */
  async renew(): Promise<void> {
    const identity = { ...this.#identity, startEpoch: this.#identity.startEpoch + 1 };
    await this.#storage.batch([identityWrite(identity)], { sync: true });
    this.#identity = identity;
  }

  /** Proves to the next start that nothing was forgotten. Call it after the last commit. */
  async close(lastMinted: Stamp): Promise<void> {
    const clean = identityWrite({ ...this.#identity, clean: true });
    await this.#storage.batch([clean, Directory.leaseWrite(lastMinted)], { sync: true });
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
