import type { Operation } from "../../../../src/checker/history.ts";

/**
 * The dumb oracles: definitions spelt out over every order of a handful of operations. Nothing here
 * knows of quorums, stamps or durability; the histories they judge use R + W > N and `sync`.
 */

/** Whether some order of the operations, and of any of the unknown writes, is what one register does. */
export function isLinearizable(operations: readonly Operation[]): boolean {
  return withUnknownWrites(operations).some((chosen) => someOrder(chosen, isRegister));
}

/**
 * Whether each get by itself fits some order of all the writes (weak regularity, MWR1 of Shao, Welch,
 * Pierce and Lee 2011).
 */
export function isWeaklyRegular(operations: readonly Operation[]): boolean {
  const gets = operations.filter((it) => it.kind === "get" && it.outcome === "ok");
  const writes = operations.filter((it) => it.kind !== "get");
  return gets.every((get) => isLinearizable([...writes, get]));
}

/**
 * Whether the versions have an order, later writes after those acknowledged before, in which no get
 * returns an older version than a get that ended before it was called.
 */
export function isMonotonic(operations: readonly Operation[]): boolean {
  const gets = operations.filter((it) => it.kind === "get" && it.outcome === "ok");
  const writes = operations.filter((it) => it.kind !== "get" && it.outcome !== "not-applied");
  const versions = new Set([...writes, ...gets].map((it) => it.version));
  versions.delete(undefined);
  return permutations([...versions]).some((order) => {
    // Nothing (undefined) is at -1, before all.
    const age = (it: Operation): number => order.indexOf(it.version);
    return (
      pairs(writes).every(([a, b]) => !isBefore(a, b) || age(a) < age(b)) &&
      pairs(gets).every(([a, b]) => !isBefore(a, b) || age(a) <= age(b))
    );
  });
}

/** Whether one ended, acknowledged or answered, before the other was called. */
export function isBefore(a: Operation, b: Operation): boolean {
  return a.outcome === "ok" && a.end !== undefined && a.end < b.call;
}

function isRegister(order: readonly Operation[]): boolean {
  let held: string | undefined;
  for (const { kind, version } of order) {
    if (kind !== "get") held = version;
    else if (version !== held) return false;
  }
  return true;
}

/** The operations that count, with each subset of the writes of unknown outcome. */
function withUnknownWrites(operations: readonly Operation[]): readonly (readonly Operation[])[] {
  const certain = operations.filter((it) => it.outcome === "ok");
  const unknown = operations.filter((it) => it.outcome === "unknown" && it.kind !== "get");
  return unknown.reduce<readonly (readonly Operation[])[]>(
    (all, write) => [...all, ...all.map((chosen) => [...chosen, write])],
    [certain],
  );
}

function someOrder(
  operations: readonly Operation[],
  accepts: (order: readonly Operation[]) => boolean,
): boolean {
  const inRealTime = (order: readonly Operation[]): boolean =>
    order.every((later, i) => order.slice(0, i).every((earlier) => !isBefore(later, earlier)));
  return permutations(operations).some((order) => inRealTime(order) && accepts(order));
}

const INDEX_PERMUTATIONS = new Map<number, readonly (readonly number[])[]>([[0, [[]]]]);

export function permutations<T>(items: readonly T[]): readonly (readonly T[])[] {
  return indexPermutations(items.length).map((order) =>
    order.flatMap((i) => items.slice(i, i + 1)),
  );
}

function indexPermutations(count: number): readonly (readonly number[])[] {
  let known = INDEX_PERMUTATIONS.get(count);
  if (known === undefined) {
    known = indexPermutations(count - 1).flatMap((order) =>
      Array.from({ length: count }, (_, at) => [
        ...order.slice(0, at),
        count - 1,
        ...order.slice(at),
      ]),
    );
    INDEX_PERMUTATIONS.set(count, known);
  }
  return known;
}

export function pairs<T>(items: readonly T[]): readonly (readonly [T, T])[] {
  return items.flatMap((a) => items.filter((b) => b !== a).map((b) => [a, b] as const));
}
