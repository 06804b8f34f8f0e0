import type { History, Operation } from "./history.ts";

/**
 * What clients call one write: all its attempts, under one identity, and the stamps under which its
 * versions were seen. Each attempt that had an effect minted one stamp at most, so a write that was
 * attempted twice may have become two versions.
 */
export class LogicalWrite {
  readonly id: string;
  readonly attempts: Operation[] = [];
  /** Those that were not proven without effect. */
  readonly effective: Operation[] = [];
  /** Stamps that gets and replicas tell; undefined: of a get that was told none. */
  readonly sighted = new Set<number | undefined>();

  constructor(id: string) {
    this.id = id;
  }

  /** Effective attempts that were not told their stamp: each may have minted one that is seen. */
  get unstamped(): readonly Operation[] {
    return this.effective.filter(({ stamp }) => stamp === undefined);
  }

  /** Effective attempts that were told this stamp: they minted it, or found it minted. */
  stampedBy(stamp: number | undefined): readonly Operation[] {
    return stamp === undefined ? [] : this.effective.filter((it) => it.stamp === stamp);
  }

  /** All stamps of which anybody was told, in no order. */
  get stamps(): ReadonlySet<number | undefined> {
    const stamps = new Set(this.sighted);
    for (const { stamp } of this.effective) if (stamp !== undefined) stamps.add(stamp);
    return stamps;
  }

  /** Stamps that were seen although no effective attempt was told them. */
  get unclaimed(): readonly number[] {
    return [...this.sighted].filter(
      (stamp): stamp is number => stamp !== undefined && this.stampedBy(stamp).length === 0,
    );
  }
}

/** The writes of one key, by identity. */
export type WritesOfKey = ReadonlyMap<string, LogicalWrite>;

export function logicalWrites({ operations, replicas }: History): ReadonlyMap<string, WritesOfKey> {
  const byKey = new Map<string, Map<string, LogicalWrite>>();
  for (const operation of operations) {
    const { key, kind, version, outcome } = operation;
    if (kind === "get" || version === undefined) continue;
    const write = writeOf(byKey, key, version);
    write.attempts.push(operation);
    if (outcome !== "not-applied") write.effective.push(operation);
  }
  for (const { key, kind, version, outcome, stamp } of operations) {
    if (kind !== "get" || outcome !== "ok" || version === undefined) continue;
    byKey.get(key)?.get(version)?.sighted.add(stamp);
  }
  for (const { records } of replicas) {
    for (const [key, { version, stamp }] of records) {
      byKey.get(key)?.get(version)?.sighted.add(stamp);
    }
  }
  return byKey;
}

function writeOf(
  byKey: Map<string, Map<string, LogicalWrite>>,
  key: string,
  version: string,
): LogicalWrite {
  let writes = byKey.get(key);
  if (writes === undefined) {
    writes = new Map();
    byKey.set(key, writes);
  }
  let write = writes.get(version);
  if (write === undefined) {
    write = new LogicalWrite(version);
    writes.set(version, write);
  }
  return write;
}
