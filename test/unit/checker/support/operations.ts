import type { History, Operation, ReplicaState } from "../../../../src/checker/history.ts";

/** What a test does not say of an operation: key "k" of a bucket with N=3 R=W=2. */
const USUAL = {
  client: 0,
  key: "k",
  stamp: undefined,
  expiresAt: undefined,
  expired: false,
  n: 3,
  r: 2,
  w: 2,
  durability: "sync",
} as const;

type Details = Partial<Operation>;

/** An acknowledged write; without `end` one of unknown outcome. */
export function put(version: string, call: number, end?: number, details: Details = {}): Operation {
  const outcome = end === undefined ? "unknown" : "ok";
  return { ...USUAL, kind: "put", version, call, end, outcome, ...details };
}

export function remove(
  version: string,
  call: number,
  end?: number,
  details: Details = {},
): Operation {
  return put(version, call, end, { kind: "delete", ...details });
}

/** A write that was proven to have had no effect. */
export function refused(version: string, call: number, end: number): Operation {
  return put(version, call, end, { outcome: "not-applied" });
}

/** An answered get; `version` undefined: it found nothing. */
export function get(
  version: string | undefined,
  call: number,
  end: number,
  details: Details = {},
): Operation {
  return { ...USUAL, kind: "get", version, call, end, outcome: "ok", ...details };
}

export function history(
  operations: readonly Operation[],
  replicas: readonly ReplicaState[] = [],
): History {
  return { operations, replicas };
}

/** Replicas n1, n2, … of key "k", each with a version and its stamp, or with nothing. */
export function holding(
  ...records: readonly (readonly [version: string, stamp: number] | undefined)[]
): readonly ReplicaState[] {
  return records.map((held, i) => ({
    node: `n${i + 1}`,
    records: new Map(
      held === undefined
        ? []
        : [["k", { version: held[0], stamp: held[1], tombstone: false, digest: held[0] }]],
    ),
  }));
}
