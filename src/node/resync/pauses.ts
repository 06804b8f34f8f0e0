import type { Clock, Timer } from "../../ports/clock.ts";

/** Pauses of one background loop, which all end when its owner stops it. */
export class Pauses {
  readonly #clock: Clock;
  readonly #waiting = new Map<Timer, () => void>();
  #ended = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get ended(): boolean {
    return this.#ended;
  }

  pause(delayMs: number): Promise<void> {
    if (this.#ended || delayMs <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#clock.after(delayMs, () => {
        this.#waiting.delete(timer);
        resolve();
      });
      this.#waiting.set(timer, resolve);
    });
  }

  end(): void {
    this.#ended = true;
    for (const [timer, resolve] of this.#waiting) {
      timer.cancel();
      resolve();
    }
    this.#waiting.clear();
  }
}
