import type { Operation, Verdict } from "./history.ts";

/** Bound on the search of one key, which is exponential at worst; its memory grows with the steps. */
export const STEPS_MAX = 250_000;

export interface Linearization {
  readonly verdict: Verdict;
  /** Operations that were tried as the next one. */
  readonly steps: number;
  /** `false`: the operation that no order could place, in the order that came furthest. */
  readonly stuck: Operation | undefined;
}

/**
 * Whether the operations on one register can be put in an order that respects real time and in which
 * every get returns the version written last. Writes of unknown outcome may come at any time after
 * their call, or never; gets without answer and writes without effect have no place in the input
 * (`closeUnknown` drops them).
 *
 * The search of Wing and Gong ("Testing and verifying concurrent objects", JPDC 17, 1993): repeatedly
 * choose an operation that was called before any open one returned, until none is left; on a dead end
 * go back. With the memory of Lowe ("Testing for linearizability", CCPE 29(4), 2017): the same set of
 * operations with the same version left behind is not tried twice. One thing is added for registers:
 * a get that fits now is never worth postponing, for it changes nothing.
 *
 * Operations that touch at one instant are concurrent.
 */
export function linearize(
  operations: readonly Operation[],
  { stepsMax = STEPS_MAX }: { readonly stepsMax?: number } = {},
): Linearization {
  return new Search(operations).run(stepsMax);
}

/** No version: what the register holds before the first write. */
const NOTHING = -1;

/** One choice of the search, and what the register held before. */
interface Choice {
  readonly index: number;
  readonly before: number;
}

class Search {
  readonly #operations: readonly Operation[];
  /** The version that each operation writes or returns, as a number. */
  readonly #versions: Int32Array;
  readonly #timeline: Timeline;
  readonly #seen: Configurations;
  readonly #chosen: Choice[] = [];
  #held = NOTHING;
  #furthest = -1;
  #stuck: Operation | undefined;

  constructor(operations: readonly Operation[]) {
    const numbers = new Map<string, number>();
    this.#operations = operations;
    this.#versions = Int32Array.from(operations, ({ version, kind }, index) => {
      if (version === undefined) return kind === "get" ? NOTHING : operations.length + index;
      const number = numbers.get(version) ?? numbers.size;
      numbers.set(version, number);
      return number;
    });
    this.#timeline = new Timeline(operations);
    this.#seen = new Configurations(operations.length);
  }

  run(stepsMax: number): Linearization {
    const timeline = this.#timeline;
    let steps = 0;
    let at = timeline.first();
    while (at !== Timeline.END) {
      if (timeline.isReturn(at)) {
        this.#noteStuck(timeline.operationOf(at));
        const last = this.#goBack();
        if (last === undefined) return { verdict: "false", steps, stuck: this.#stuck };
        at = timeline.next(timeline.callOf(last));
        continue;
      }
      steps += 1;
      if (steps > stepsMax) return { verdict: "unknown", steps, stuck: undefined };
      at = this.#choose(timeline.operationOf(at)) ? timeline.first() : timeline.next(at);
    }
    // No return is left: what remains are writes that may never have taken effect.
    return { verdict: "true", steps, stuck: undefined };
  }

  #choose(index: number): boolean {
    const version = this.#versions[index] ?? NOTHING;
    const isGet = this.#isGet(index);
    if (isGet && version !== this.#held) return false;
    const held = isGet ? this.#held : version;
    if (!this.#seen.add(index, held)) return false;
    this.#chosen.push({ index, before: this.#held });
    this.#held = held;
    this.#timeline.lift(index);
    return true;
  }

  /** @returns the choice after which to look for another; undefined: there is none left. */
  #goBack(): number | undefined {
    for (let choice = this.#chosen.pop(); choice !== undefined; choice = this.#chosen.pop()) {
      this.#held = choice.before;
      this.#seen.remove(choice.index);
      this.#timeline.unlift(choice.index);
      if (!this.#isGet(choice.index)) return choice.index;
    }
    return undefined;
  }

  #isGet(index: number): boolean {
    return this.#operations[index]?.kind === "get";
  }

  #noteStuck(index: number): void {
    if (this.#chosen.length <= this.#furthest) return;
    this.#furthest = this.#chosen.length;
    this.#stuck = this.#operations[index];
  }
}

/**
 * Calls and returns in the order of time, a doubly linked list in arrays from which operations are
 * lifted and to which they return last out, first in. Events 2i and 2i+1 are call and return of i.
 */
class Timeline {
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

/** Which sets of operations were tried with which version left behind. */
class Configurations {
  readonly #set: Uint32Array;
  #hash = 0;
  readonly #seen = new Map<number, { readonly set: Uint32Array; readonly held: number }[]>();

  constructor(operations: number) {
    this.#set = new Uint32Array(Math.ceil(operations / 32));
  }

  /** Adds an operation to the set, unless the result was here before. */
  add(operation: number, held: number): boolean {
    this.#flip(operation);
    const hash = mixed(this.#hash ^ mixed(held + 2));
    let same = this.#seen.get(hash);
    if (same === undefined) {
      same = [];
      this.#seen.set(hash, same);
    }
    if (same.some((it) => it.held === held && equal(it.set, this.#set))) {
      this.#flip(operation);
      return false;
    }
    same.push({ set: this.#set.slice(), held });
    return true;
  }

  remove(operation: number): void {
    this.#flip(operation);
  }

  #flip(operation: number): void {
    const word = operation >> 5;
    this.#set[word] = (this.#set[word] ?? 0) ^ (1 << (operation & 31));
    this.#hash ^= mixed(operation + 1);
  }
}

/** MurmurHash3's finaliser. */
function mixed(value: number): number {
  let h = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function equal(a: Uint32Array, b: Uint32Array): boolean {
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}
