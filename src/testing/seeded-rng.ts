import { utf8 } from "../core/bytes.ts";
import { assert } from "../core/assert.ts";
import type { Rng } from "../ports/rng.ts";

/** Rounds after the last byte of a path was taken in, so that similar paths give unlike streams. */
const MIXING_ROUNDS = 15;

/**
 * Randomness that is a function of its path, such as `4711/net/n1`. `fork` goes one step down that
 * path and takes nothing from this stream, so a further draw in one subsystem changes no other.
 *
 * The generator is Doty-Humphrey's sfc32 (PractRand): 128 bits of state, passes its author's tests.
 */
export class SeededRng implements Rng {
  readonly path: string;
  #a = 0;
  #b = 0;
  #c = 0;
  #counter = 1;

  constructor(path: string | number) {
    this.path = String(path);
    for (const byte of utf8(this.path)) {
      this.#a ^= byte;
      this.uint32();
    }
    for (let round = 0; round < MIXING_ROUNDS; round++) this.uint32();
  }

  /** The same label gives the same stream every time. */
  fork(label: string | number): SeededRng {
    return new SeededRng(`${this.path}/${label}`);
  }

  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    let word = 0;
    for (let i = 0; i < count; i++) {
      word = i % 4 === 0 ? this.uint32() : word >>> 8;
      bytes[i] = word & 0xff;
    }
    return bytes;
  }

  /** With all 53 bits that a fraction has. */
  fraction(): number {
    const high = this.uint32() >>> 5;
    const low = this.uint32() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  /** A whole number from 0 to `count` − 1. */
  below(count: number): number {
    assert(Number.isSafeInteger(count) && count >= 1, "there is something to choose from");
    return Math.floor(this.fraction() * count);
  }

  uint32(): number {
    const word = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + word) | 0;
    return word >>> 0;
  }
}
