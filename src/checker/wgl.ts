import { Configurations } from "./configurations.ts";
import type { Operation, Verdict } from "./history.ts";
import { Timeline } from "./timeline.ts";

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
