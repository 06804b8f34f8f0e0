import type { Operation } from "./history.ts";

/**
 * Calls and returns in the order of time, a doubly linked list in arrays from which operations are
 * lifted and to which they return last out, first in. Events 2i and 2i+1 are call and return of i.
 */
export class Timeline {
  static readonly END = -1;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #head: number;

  constructor(operations: readonly Operation[]) {
    const events: number[] = [];
    const times = new Float64Array(2 * operations.length);
    for (const [i, { call, end, outcome }] of operations.entries()) {
      times[2 * i] = call;
      events.push(2 * i);
      if (outcome !== "ok" || end === undefined) continue;
      times[2 * i + 1] = end;
      events.push(2 * i + 1);
    }
    // Calls first: intervals are closed.
    events.sort((a, b) => (times[a] ?? 0) - (times[b] ?? 0) || (a & 1) - (b & 1));
    this.#head = 2 * operations.length;
    this.#next = new Int32Array(this.#head + 1).fill(Timeline.END);
    this.#previous = new Int32Array(this.#head + 1).fill(Timeline.END);
    let last = this.#head;
    for (const event of events) {
      this.#next[last] = event;
      this.#previous[event] = last;
      last = event;
    }
  }

  first(): number {
    return this.next(this.#head);
  }

  next(event: number): number {
    return this.#next[event] ?? Timeline.END;
  }

  isReturn(event: number): boolean {
    return (event & 1) === 1;
  }

  operationOf(event: number): number {
    return event >> 1;
  }

  callOf(operation: number): number {
    return 2 * operation;
  }

  lift(operation: number): void {
    this.#unlink(2 * operation);
    this.#unlink(2 * operation + 1);
  }

  unlift(operation: number): void {
    this.#relink(2 * operation + 1);
    this.#relink(2 * operation);
  }

  /** An event that never was, the return of an open write, has no neighbours and stays out. */
  #unlink(event: number): void {
    const previous = this.#previous[event] ?? Timeline.END;
    const next = this.next(event);
    if (previous === Timeline.END) return;
    this.#next[previous] = next;
    if (next !== Timeline.END) this.#previous[next] = previous;
  }

  #relink(event: number): void {
    const previous = this.#previous[event] ?? Timeline.END;
    const next = this.next(event);
    if (previous === Timeline.END) return;
    this.#next[previous] = event;
    if (next !== Timeline.END) this.#previous[next] = event;
  }
}
