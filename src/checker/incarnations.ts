import type { History, Operation, ReplicaState } from "./history.ts";
import type { LogicalWrite, WritesOfKey } from "./logical-writes.ts";

/**
 * The same history with a version identity for each incarnation of a write: (write, stamp). A write
 * that is attempted again while its first attempt is unknown may be minted twice, and the two are
 * versions of their own: each is ordered, read and superseded by itself.
 *
 * An attempt or a get that was told its stamp names its incarnation. What is seen under a stamp that
 * no attempt was told was minted by one that was told none, perhaps by any of them: it counts as
 * written from the earliest such call on, its outcome as unknown. That is sound, because an
 * acknowledgement of one incarnation is never taken for that of another, and a call is at worst
 * taken for earlier than it was; both weaken what is promised. An attempt without stamp may likewise
 * have minted what a later one found and was told, so it is among that one's attempts as well.
 *
 * A write that was attempted once keeps its identity, and so does one of which nobody was told a stamp.
 */
export function incarnationsApart(
  history: History,
  writes: ReadonlyMap<string, WritesOfKey>,
): History {
  const split = new Map<string, WritesOfKey>();
  for (const [key, ofKey] of writes) {
    const several = new Map([...ofKey].filter(([, write]) => isSplit(write)));
    if (several.size > 0) split.set(key, several);
  }
  if (split.size === 0) return history;
  const operations = history.operations.filter(
    ({ key, kind, version }) => kind === "get" || !(split.get(key)?.has(version ?? "") ?? false),
  );
  return {
    operations: [...operations.map((it) => renamed(it, split)), ...attemptsOf(split)],
    replicas: history.replicas.map((replica) => renamedReplica(replica, split)),
  };
}

function isSplit(write: LogicalWrite): boolean {
  if (write.attempts.length < 2 && (mintsOnce(write) || write.stamps.size < 2)) return false;
  for (const stamp of write.stamps) if (stamp !== undefined) return true;
  return false;
}

/** Not where siblings are kept: two replicas may mint one attempt. */
function mintsOnce({ attempts }: LogicalWrite): boolean {
  return attempts.every(({ causality }) => causality === undefined);
}

function* attemptsOf(split: ReadonlyMap<string, WritesOfKey>): Generator<Operation> {
  for (const writes of split.values()) {
    for (const [version, write] of writes) {
      for (const stamp of write.stamps) {
        for (const attempt of mintersOf(write, stamp)) {
          yield { ...attempt, version: nameOf(version, stamp) };
        }
      }
    }
  }
}

/** The attempts to which an incarnation may be due. */
function mintersOf(write: LogicalWrite, stamp: number | undefined): readonly Operation[] {
  const claims = write.stampedBy(stamp);
  if (claims.length > 0) {
    const call = Math.min(...claims.map((it) => it.call));
    const others = mintsOnce(write) ? write.unstamped : write.effective;
    return [...claims, ...others.filter((it) => it.call < call).map(inDoubt)];
  }
  if (write.unstamped.length > 0) return write.unstamped.map(inDoubt);
  // Nobody can have minted it: that it exists at all is for other checkers to say.
  const refused = write.attempts.filter(({ outcome }) => outcome === "not-applied");
  return refused.length > 0 ? refused : write.effective.map(inDoubt);
}

function inDoubt(attempt: Operation): Operation {
  return { ...attempt, stamp: undefined, expiresAt: undefined, end: undefined, outcome: "unknown" };
}

function renamed(operation: Operation, split: ReadonlyMap<string, WritesOfKey>): Operation {
  const { key, version, stamp, kind, outcome } = operation;
  if (kind !== "get" || outcome !== "ok" || version === undefined) return operation;
  if (split.get(key)?.has(version) !== true) return operation;
  return { ...operation, version: nameOf(version, stamp) };
}

function renamedReplica(
  { node, records }: ReplicaState,
  split: ReadonlyMap<string, WritesOfKey>,
): ReplicaState {
  return {
    node,
    records: new Map(
      Array.from(records, ([key, record]) => {
        if (split.get(key)?.has(record.version) !== true) return [key, record];
        return [key, { ...record, version: nameOf(record.version, record.stamp) }];
      }),
    ),
  };
}

function nameOf(version: string, stamp: number | undefined): string {
  return `${version}@${stamp ?? "?"}`;
}
