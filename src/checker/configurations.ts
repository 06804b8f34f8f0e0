/** Which sets of operations were tried with which version left behind. */
export class Configurations {
  readonly #set: Uint32Array;
  #hash = 0;
  readonly #seen = new Map<number, { readonly set: Uint32Array; readonly held: number }[]>();

  constructor(operations: number) {
    this.#set = new Uint32Array(Math.ceil(operations / 32));
  }

  /** Adds an operation to the set, unless the result was here before. */
  add(operation: number, held: number): boolean {
    this.#flip(operation);
    const hash = mixed(this.#hash ^ mixed(held + 2));
    let same = this.#seen.get(hash);
    if (same === undefined) {
      same = [];
      this.#seen.set(hash, same);
    }
    if (same.some((it) => it.held === held && equal(it.set, this.#set))) {
      this.#flip(operation);
      return false;
    }
    same.push({ set: this.#set.slice(), held });
    return true;
  }

  remove(operation: number): void {
    this.#flip(operation);
  }

  #flip(operation: number): void {
    const word = operation >> 5;
    this.#set[word] = (this.#set[word] ?? 0) ^ (1 << (operation & 31));
    this.#hash ^= mixed(operation + 1);
  }
}

/** MurmurHash3's finaliser. */
function mixed(value: number): number {
  let h = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function equal(a: Uint32Array, b: Uint32Array): boolean {
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}
