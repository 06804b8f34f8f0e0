import type { History, Operation, ReplicaState } from "./history.ts";
import { KeyHistory } from "./key-history.ts";

/** A history sorted by key and version once, for all the checkers that will look at it. */
export class IndexedHistory implements History {
  readonly operations: readonly Operation[];
  readonly replicas: readonly ReplicaState[];
  readonly keys = new Map<string, KeyHistory>();

  constructor({ operations, replicas }: History) {
    this.operations = operations;
    this.replicas = replicas;
    for (const operation of operations) this.#key(operation.key).add(operation);
    for (const { node, records } of replicas) {
      for (const [key, record] of records) this.#key(key).hold(node, record);
    }
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
