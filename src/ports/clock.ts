/** A moment on the monotonic clock of one process, in milliseconds; meaningless elsewhere. */
export type Instant = number;

export interface Timer {
  /** Without effect after it fired. */
  cancel(): void;
}

/**
 * All that production code knows of time. `now` never goes back and never jumps; `wallMs` may do
 * both. Nothing but stamps is taken from the wall clock.
 */
export interface Clock {
  now(): Instant;
  /** Milliseconds since 1970 by this machine's idea of it. */
  wallMs(): number;
  /** Calls `action` once, not before `delayMs` have passed. Its owner cancels it when it closes. */
  after(delayMs: number, action: () => void): Timer;
  /**
   * Calls `action` once, when everything that is already there has been taken in: the way in which
   * work that arrives together is done together, while a lone request waits for nobody.
   */
  soon(action: () => void): void;
}

export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}
