import type { History, Operation, ReplicaState } from "./history.ts";

/**
 * The same history with every sibling that a get was shown as a get of its own, and every one that a
 * replica holds as a replica's of its own. What is promised of each version by itself can be held
 * against that: that somebody wrote it, that its outcome was told truly, that it expires in time.
 */
export function oneByOne({ operations, replicas }: History): History {
  return {
    operations: operations.flatMap((operation) => [...getsOf(operation)]),
    replicas: replicas.flatMap((replica) => [...replicasOf(replica)]),
  };
}

function* getsOf(operation: Operation): Generator<Operation> {
  const { kind, causality } = operation;
  if (kind !== "get" || causality === undefined || causality.siblings.length === 0) {
    yield operation;
    return;
  }
  for (const { version, stamp, expiresAt, expired } of causality.siblings) {
    yield { ...operation, version, stamp, expiresAt, expired };
  }
}

function* replicasOf({ node, records }: ReplicaState): Generator<ReplicaState> {
  for (const [key, record] of records) {
    for (const it of record.siblings ?? [record]) {
      const { version, stamp } = it;
      yield { node, records: new Map([[key, { ...record, version, stamp }]]) };
    }
  }
}
