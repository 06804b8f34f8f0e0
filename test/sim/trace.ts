import { crc32 } from "../../src/core/hash.ts";
import type { Message } from "../../src/testing/in-process-network.ts";

/**
 * What happened, event by event: as a running hash, by which two runs of one scenario are compared,
 * and as lines where somebody wants to read them.
 */
export class Trace {
  readonly #write: ((line: string) => void) | undefined;
  #hash = 0;
  #events = 0;

  constructor(write?: (line: string) => void) {
    this.#write = write;
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  get events(): number {
    return this.#events;
  }

  note(at: number, event: string): void {
    this.#events += 1;
    this.#mix(at);
    for (let i = 0; i < event.length; i++) this.#step(event.charCodeAt(i));
    this.#write?.(`${at.toFixed(3).padStart(11)}  ${event}`);
  }

  message(at: number, { from, to, leg, payload }: Message, delays: readonly number[]): void {
    this.#events += 1;
    this.#mix(at);
    this.#step(crc32(payload));
    for (const delay of delays) this.#mix(delay);
    if (this.#write === undefined) return;
    const fate = delays.length === 0 ? "lost" : delays.map((ms) => `+${ms.toFixed(3)}`).join(" ");
    this.#write(
      `${at.toFixed(3).padStart(11)}  ${from} → ${to} ${leg} ${payload.length} B ${fate}`,
    );
  }

  /** FNV-1a over 32-bit words. */
  #step(word: number): void {
    this.#hash = Math.imul(this.#hash ^ word, 0x01000193);
  }

  #mix(ms: number): void {
    this.#step(Math.floor(ms * 1_000));
  }
}
