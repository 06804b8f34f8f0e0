import type { Operation, ReplicaRecord } from "./history.ts";
import { VersionHistory } from "./version-history.ts";

/** A get that was answered, and what it returned. */
export interface Read {
  readonly operation: Operation;
  readonly version: VersionHistory;
}

/** What one replica holds in the end, and what else is known of that version. */
export interface FinalRecord {
  readonly node: string;
  readonly record: ReplicaRecord;
  readonly version: VersionHistory;
}

/** All that a history tells of one key. Promises are made key by key, so checkers go key by key. */
export class KeyHistory {
  readonly key: string;
  readonly operations: Operation[] = [];
  readonly versions = new Map<string, VersionHistory>();
  /** What a get returns that finds nothing, not even a tombstone. */
  readonly nothing = new VersionHistory(undefined);
  readonly reads: Read[] = [];
  readonly finals: FinalRecord[] = [];
  /** Replicas that the key has; 0 when no operation tells. */
  n = 0;
  #readsByCall: readonly Read[] | undefined;
  #readsByEnd: readonly Read[] | undefined;
  #acknowledged: readonly VersionHistory[] | undefined;

  constructor(key: string) {
    this.key = key;
  }

  add(operation: Operation): void {
    this.operations.push(operation);
    if (operation.n > this.n) this.n = operation.n;
    if (operation.kind !== "get") {
      // One without identity was never read by anybody: its own object, known under no name.
      this.version(operation.version ?? `unnamed ${this.operations.length}`).attempt(operation);
    } else if (operation.outcome === "ok") {
      const { version: id } = operation;
      const version = id === undefined ? this.nothing : this.version(id);
      version.read(operation);
      this.reads.push({ operation, version });
    }
  }

  hold(node: string, record: ReplicaRecord): void {
    const version = this.version(record.version);
    version.hold(record);
    this.finals.push({ node, record, version });
  }

  version(id: string): VersionHistory {
    let version = this.versions.get(id);
    if (version === undefined) {
      version = new VersionHistory(id);
      this.versions.set(id, version);
    }
    return version;
  }

  get readsByCall(): readonly Read[] {
    return (this.#readsByCall ??= this.reads.toSorted(
      (a, b) => a.operation.call - b.operation.call,
    ));
  }

  get readsByEnd(): readonly Read[] {
    return (this.#readsByEnd ??= this.reads.toSorted(
      (a, b) => (a.operation.end ?? Infinity) - (b.operation.end ?? Infinity),
    ));
  }

  /** The acknowledged versions that are durable, in the order of their acknowledgements. */
  get acknowledged(): readonly VersionHistory[] {
    if (this.#acknowledged === undefined) {
      const acknowledged: VersionHistory[] = [];
      for (const version of this.versions.values()) {
        if (version.sync && version.ackedBy !== undefined) acknowledged.push(version);
      }
      this.#acknowledged = acknowledged.sort((a, b) => a.ackedAt - b.ackedAt);
    }
    return this.#acknowledged;
  }

  /** The newest that any replica holds in the end: what a read at R = N finds. */
  get final(): FinalRecord | undefined {
    let newest: FinalRecord | undefined;
    for (const it of this.finals) {
      if (newest === undefined || it.record.stamp > newest.record.stamp) newest = it;
    }
    return newest;
  }
}
