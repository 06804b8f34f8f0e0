import { sleep } from "../ports/clock.ts";
import type { Clock } from "../ports/clock.ts";

export interface DrainOptions {
  /** How long the node still serves after it has said that it stops. */
  readonly noticeMs: number;
  /** Bound on all that follows. */
  readonly timeoutMs: number;
}

export interface DrainModules {
  readonly clock: Clock;
  readonly edge: {
    /** Takes no more connections; resolves when every answer under way has been sent. */
    drain(): Promise<void>;
    /** Ends whatever is left. */
    abort(): void;
  };
  readonly operations: {
    /** Resolves when none is in flight. */
    idle(): Promise<void>;
  };
}

/**
 * Brings a node that already calls itself draining to rest. It ends within noticeMs + timeoutMs,
 * whatever clients and peers do.
 * @returns whether everything has ended by itself.
 */
export async function drain(options: DrainOptions, modules: DrainModules): Promise<boolean> {
  const { clock, edge, operations } = modules;
  if (options.noticeMs > 0) await sleep(clock, options.noticeMs);
  return new Promise((resolve, reject) => {
    const timer = clock.after(options.timeoutMs, () => {
      edge.abort();
      resolve(false);
    });
    edge
      .drain()
      .then(() => operations.idle())
      .finally(() => timer.cancel())
      .then(() => resolve(true), reject);
  });
}
