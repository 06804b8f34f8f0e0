import type { Clock, Instant, Timer } from "../ports/clock.ts";

/** One stretch of an operation's time, for the log. */
export interface Phase {
  readonly phase: string;
  readonly ms: number;
  readonly end?: string;
  /** Milliseconds until the replica's answer, or why there was none. */
  readonly replicas?: Readonly<Record<string, number | string>>;
}

/**
 * The one deadline of one operation: absolute, passed down, with a single timer. Whichever round is
 * under way is told when it passes. It keeps account of where the time went.
 */
export class Deadline {
  readonly at: Instant;
  readonly #clock: Clock;
  readonly #phases: (() => Phase)[] = [];
  readonly #timer: Timer;
  #passed = false;
  #onPass: (() => void) | undefined;

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.at = clock.now() + timeoutMs;
    this.#timer = clock.after(timeoutMs, () => {
      this.#passed = true;
      this.#onPass?.();
    });
  }

  get passed(): boolean {
    return this.#passed;
  }

  /** Replaces whoever was to be told before: an operation runs one round at a time. */
  onPass(action: (() => void) | undefined): void {
    this.#onPass = action;
  }

  /** Most operations are never told of, so a phase is described when somebody asks. */
  spent(phase: () => Phase): void {
    this.#phases.push(phase);
  }

  /** Rounds stand where they ended. */
  phases(): readonly Phase[] {
    return this.#phases.map((phase) => phase());
  }

  /** What the promise comes to, unless the deadline passes first; `phase` is what it is for. */
  race<T>(promise: Promise<T>, phase: string): Promise<T | "deadline"> {
    const begun = this.#clock.now();
    let ms: number | undefined;
    const ended = (): void => {
      ms ??= Math.round(this.#clock.now() - begun);
    };
    this.spent(() => ({ phase, ms: ms ?? Math.round(this.#clock.now() - begun) }));
    return new Promise((resolve, reject) => {
      if (this.#passed) resolve("deadline");
      else {
        this.onPass(() => {
          ended();
          resolve("deadline");
        });
      }
      // Also when it is too late: somebody must hear of a failure, or the process would end by it.
      promise
        .finally(() => {
          ended();
          this.onPass(undefined);
        })
        .then(resolve, reject);
    });
  }

  cancel(): void {
    this.#timer.cancel();
    this.#onPass = undefined;
  }
}
