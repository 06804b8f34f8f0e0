import type { Clock, Instant, Timer } from "../ports/clock.ts";

/**
 * The one deadline of one operation: absolute, passed down, with a single timer. Whichever round is
 * under way is told when it passes.
 */
export class Deadline {
  readonly at: Instant;
  readonly #timer: Timer;
  #passed = false;
  #onPass: (() => void) | undefined;

  constructor(clock: Clock, timeoutMs: number) {
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

  /** What the promise comes to, unless the deadline passes first. */
  race<T>(promise: Promise<T>): Promise<T | "deadline"> {
    return new Promise((resolve, reject) => {
      if (this.#passed) resolve("deadline");
      else this.onPass(() => resolve("deadline"));
      // Also when it is too late: somebody must hear of a failure, or the process would end by it.
      promise.finally(() => this.onPass(undefined)).then(resolve, reject);
    });
  }

  cancel(): void {
    this.#timer.cancel();
    this.#onPass = undefined;
  }
}
