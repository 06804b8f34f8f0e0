import { latin1Text } from "../core/bytes.ts";
import type { RecordKey } from "../core/record-key.ts";

/** Lets one operation at a time have a key. As many wait as its caller admits. */
export class KeyTurns {
  readonly #waiting = new Map<string, (() => void)[]>();

  /** Resolves when it is this caller's turn, with what ends it; call that exactly once. */
  async take(key: RecordKey): Promise<() => void> {
    const id = latin1Text(key);
    const queue = this.#waiting.get(id);
    if (queue === undefined) this.#waiting.set(id, []);
    else await new Promise<void>((resolve) => queue.push(resolve));
    return () => this.#end(id);
  }

  #end(id: string): void {
    const next = this.#waiting.get(id)?.shift();
    if (next === undefined) this.#waiting.delete(id);
    else next();
  }
}
