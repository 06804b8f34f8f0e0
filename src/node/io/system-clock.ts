import type { Clock } from "../../ports/clock.ts";

/** The machine's clocks and this process's event loop. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  soon: (action) => {
    setImmediate(action);
  },
};
