const immediate = setImmediate;

/** Immediates that are asked for at once: each turn of the event loop costs system calls. */
const IMMEDIATES = 64;

let left = 0;
let waiting: (() => void) | undefined;

/**
 * Resolves when every promise callback that can run without a further event has run. Node.js empties
 * the queue of promise callbacks between any two immediates, also between two of one turn of its event
 * loop, so most drains need no turn of their own.
 */
export function drain(): Promise<void> {
  return new Promise((resolve) => {
    waiting = resolve;
    if (left > 0) return;
    for (; left < IMMEDIATES; left++) immediate(proceed);
  });
}

/** With nobody waiting the driver has stopped in the middle of a turn. */
function proceed(): void {
  left -= 1;
  const resolve = waiting;
  waiting = undefined;
  resolve?.();
}
