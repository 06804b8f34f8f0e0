import { assert } from "../core/assert.ts";
import type { Clock, Instant, Timer } from "../ports/clock.ts";

/** The wall clock of instant 0 unless a test says otherwise: any moment will do, it must be one. */
const WALL_MS = 1_700_000_000_000;
/** A run that takes longer than this in virtual time is not going to end. */
const RUN_MS_MAX = 3_600_000;

interface Event {
  readonly at: Instant;
  /** Events of one instant run in the order in which they were asked for. */
  readonly sequence: number;
  readonly action: () => void;
  cancelled: boolean;
}

export interface VirtualTimeOptions {
  /**
   * Resolves when every promise callback that can run without a further event has run. A macrotask
   * does that (`setImmediate`), a number of awaits does not.
   */
  readonly drain: () => Promise<void>;
  readonly wallMs?: number;
}

/**
 * The one time line of a simulated world: a heap of events ordered by (instant, sequence). One event
 * is taken and run, everything that it set in motion settles, then comes the next, so a run is a
 * function of its inputs alone. Between two events the world is quiescent: whatever is to happen *to*
 * it (a crash, a cut, a jump of a clock) is an event as well, or is done between two steps.
 */
export class VirtualTime {
  readonly #drain: () => Promise<void>;
  readonly #wallMs: number;
  readonly #heap: Event[] = [];
  #now: Instant = 0;
  #sequence = 0;
  #stepping = false;

  constructor({ drain, wallMs = WALL_MS }: VirtualTimeOptions) {
    this.#drain = drain;
    this.#wallMs = wallMs;
  }

  now(): Instant {
    return this.#now;
  }

  /** What a wall clock shows that is right. */
  wallMs(): number {
    return Math.floor(this.#wallMs + this.#now);
  }

  /** A process's view of this time line; a restarted process gets a new one. */
  clock(opts: { wallOffsetMs?: number } = {}): VirtualClock {
    return new VirtualClock(this, opts);
  }

  /** An event of the world itself, such as a fault; those of a process go through its clock. */
  after(delayMs: number, action: () => void): Timer {
    assert(!Number.isNaN(delayMs), "a delay is a number");
    const at = this.#now + Math.max(0, delayMs);
    const event: Event = { at, sequence: this.#sequence, action, cancelled: false };
    this.#sequence += 1;
    push(this.#heap, event);
    return {
      cancel() {
        event.cancelled = true;
      },
    };
  }

  /** Runs the next event and lets its effects settle. @returns false when there is none. */
  async step(): Promise<boolean> {
    assert(!this.#stepping, "one caller at a time drives the time line");
    const event = this.#next();
    if (event === undefined) return false;
    pop(this.#heap);
    this.#now = event.at;
    this.#stepping = true;
    try {
      event.action();
      await this.#drain();
    } finally {
      this.#stepping = false;
    }
    return true;
  }

  /** Runs all events of the next `ms` milliseconds, those that they cause included. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await this.#drain();
    for (let next = this.#next(); next !== undefined && next.at <= until; next = this.#next()) {
      await this.step();
    }
    this.#now = until;
  }

  /** Runs events until `condition` holds. @throws when it cannot come true any more, or not in time. */
  async runUntil(condition: () => boolean, { withinMs = RUN_MS_MAX } = {}): Promise<void> {
    const until = this.#now + withinMs;
    await this.#drain();
    while (!condition()) {
      const next = this.#next();
      if (next === undefined) {
        throw new Error(`nothing is left to happen at ${this.#now} ms and the condition is false`);
      }
      if (next.at > until) throw new Error(`the condition is false after ${withinMs} ms`);
      await this.step();
    }
  }

  /** Runs events until the promise settles, and hands on its value or error. */
  async settled<T>(promise: Promise<T>, opts: { withinMs?: number } = {}): Promise<T> {
    let settled = false;
    const note = (): void => {
      settled = true;
    };
    promise.then(note, note);
    await this.runUntil(() => settled, opts);
    return promise;
  }

  #next(): Event | undefined {
    while (this.#heap[0]?.cancelled === true) pop(this.#heap);
    return this.#heap[0];
  }
}

/**
 * The clocks of one process on a shared time line. Its wall clock is off by `wallOffsetMs`, which a
 * test sets at will. Stopping it is how a process dies: nothing that it waits for happens any more.
 */
export class VirtualClock implements Clock {
  /** Set it to make the wall clock jump. */
  wallOffsetMs: number;
  readonly #time: VirtualTime;
  #state: "running" | "paused" | "stopped" = "running";
  /** What came due during a pause, in order. */
  #held: (() => void)[] = [];

  constructor(time: VirtualTime, { wallOffsetMs = 0 }: { wallOffsetMs?: number } = {}) {
    this.#time = time;
    this.wallOffsetMs = wallOffsetMs;
  }

  now(): Instant {
    return this.#time.now();
  }

  wallMs(): number {
    return Math.floor(this.#time.wallMs() + this.wallOffsetMs);
  }

  after(delayMs: number, action: () => void): Timer {
    let cancelled = false;
    const timer = this.#time.after(delayMs, () =>
      this.#run(() => {
        if (!cancelled) action();
      }),
    );
    return {
      cancel() {
        cancelled = true;
        timer.cancel();
      },
    };
  }

  /** Behind every event of this instant that is known already. */
  soon(action: () => void): void {
    this.#time.after(0, () => this.#run(action));
  }

  /** As SIGSTOP does: time goes on, the process does not. */
  pause(): void {
    if (this.#state === "running") this.#state = "paused";
  }

  /** What came due meanwhile happens now, each as an event of its own, in its order. */
  resume(): void {
    if (this.#state !== "paused") return;
    this.#state = "running";
    const held = this.#held;
    this.#held = [];
    for (const action of held) this.soon(action);
  }

  /** As SIGKILL does, between two events: no action of this process runs again. */
  stop(): void {
    this.#state = "stopped";
    this.#held = [];
  }

  #run(action: () => void): void {
    if (this.#state === "running") action();
    else if (this.#state === "paused") this.#held.push(action);
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.sequence < b.sequence);
}

/** The binary heap of Williams (CACM 1964): the children of `i` are `2i + 1` and `2i + 2`. */
function push(heap: Event[], event: Event): void {
  let at = heap.length;
  heap.push(event);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent];
    if (above === undefined || !before(event, above)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = event;
}

function pop(heap: Event[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    const left = heap[2 * at + 1];
    const right = heap[2 * at + 2];
    if (left === undefined) break;
    const child = right !== undefined && before(right, left) ? 2 * at + 2 : 2 * at + 1;
    const smaller = heap[child];
    if (smaller === undefined || !before(smaller, last)) break;
    heap[at] = smaller;
    at = child;
  }
  heap[at] = last;
}
