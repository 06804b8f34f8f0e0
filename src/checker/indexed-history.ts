import type { History, Operation, ReplicaState } from "./history.ts";
import { incarnationsApart } from "./incarnations.ts";
import { KeyHistory } from "./key-history.ts";
import { logicalWrites } from "./logical-writes.ts";
import type { WritesOfKey } from "./logical-writes.ts";
import { oneByOne } from "./one-by-one.ts";
import { siblingHistories } from "./sibling-history.ts";
import type { SiblingHistory } from "./sibling-history.ts";

/**
 * A history sorted by key and version once, for all the checkers that will look at it. `operations`
 * and `writes` are as clients see them; `keys` tells the incarnations of one write apart.
 */
export class IndexedHistory implements History {
  readonly operations: readonly Operation[];
  readonly replicas: readonly ReplicaState[];
  readonly writes: ReadonlyMap<string, WritesOfKey>;
  readonly keys = new Map<string, KeyHistory>();
  #siblings: readonly SiblingHistory[] | undefined;
  #oneByOne: IndexedHistory | undefined;

  constructor(history: History) {
    this.operations = history.operations;
    this.replicas = history.replicas;
    this.writes = logicalWrites(history);
    const { operations, replicas } = incarnationsApart(history, this.writes);
    for (const operation of operations) this.#key(operation.key).add(operation);
    for (const { node, records } of replicas) {
      for (const [key, record] of records) this.#key(key).hold(node, record);
    }
  }

  /** The keys of buckets that keep siblings. */
  get siblings(): readonly SiblingHistory[] {
    return (this.#siblings ??= siblingHistories(this));
  }

  /** Every sibling as if it had been read, and were held, by itself. */
  get oneByOne(): IndexedHistory {
    return (this.#oneByOne ??= new IndexedHistory(oneByOne(this)));
  }

  #key(key: string): KeyHistory {
    let history = this.keys.get(key);
    if (history === undefined) {
      history = new KeyHistory(key);
      this.keys.set(key, history);
    }
    return history;
  }
}

/** Every checker takes any history; one that was indexed before is not indexed again. */
export function indexed(history: History): IndexedHistory {
  return history instanceof IndexedHistory ? history : new IndexedHistory(history);
}
