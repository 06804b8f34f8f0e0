import { assert } from "./assert.ts";

const INITIAL_BYTES = 16 * 1024;

/** Appends big-endian fields to one growing buffer. */
export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(initialBytes = INITIAL_BYTES) {
    this.#buffer = Buffer.allocUnsafe(initialBytes);
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#length] = value;
    this.#length += 1;
  }

  u16(value: number): void {
    this.#reserve(2);
    this.#length = this.#buffer.writeUInt16BE(value, this.#length);
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#length = this.#buffer.writeUInt32BE(value, this.#length);
  }

  /** A safe integer in 8 bytes. */
  u64(value: number): void {
    this.#reserve(8);
    this.#length = this.#buffer.writeUInt32BE(Math.floor(value / 2 ** 32), this.#length);
    this.#length = this.#buffer.writeUInt32BE(value >>> 0, this.#length);
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.byteLength);
    this.#buffer.set(value, this.#length);
    this.#length += value.byteLength;
  }

  hex(value: string): void {
    this.#reserve(value.length / 2);
    this.#length += this.#buffer.write(value, this.#length, "hex");
  }

  /** At most 255 ISO 8859-1 characters, length first. */
  shortText(value: string): void {
    assert(value.length <= 255, "a short text has at most 255 characters");
    this.u8(value.length);
    this.#reserve(value.length);
    this.#length += this.#buffer.write(value, this.#length, "latin1");
  }

  /** Overwrites four bytes that were written before: a length known only afterwards. */
  patchU32(at: number, value: number): void {
    this.#buffer.writeUInt32BE(value, at);
  }

  /** What was written so far, a view that the next `clear` gives up. */
  written(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Starts anew in the same buffer: what `written` handed out before is overwritten. */
  clear(): void {
    this.#length = 0;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.byteLength) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.byteLength * 2));
    grown.set(this.written());
    this.#buffer = grown;
  }
}

/** The bytes end before the field, or hold what no writer writes. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
}

/** Reads what {@link ByteWriter} wrote. Byte fields are views of the input, not copies. */
export class ByteReader {
  readonly #buffer: Buffer;
  #at: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.byteLength) {
    this.#buffer =
      bytes instanceof Buffer
        ? bytes
        : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = start;
    this.#end = end;
  }

  u8(): number {
    return this.#buffer[this.#advance(1)] ?? 0;
  }

  u16(): number {
    return this.#buffer.readUInt16BE(this.#advance(2));
  }

  u32(): number {
    return this.#buffer.readUInt32BE(this.#advance(4));
  }

  u64(): number {
    const at = this.#advance(8);
    const value = this.#buffer.readUInt32BE(at) * 2 ** 32 + this.#buffer.readUInt32BE(at + 4);
    if (!Number.isSafeInteger(value)) throw new DecodeError("a number exceeds 2^53");
    return value;
  }

  bytes(length: number): Uint8Array {
    const at = this.#advance(length);
    return this.#buffer.subarray(at, at + length);
  }

  hex(bytes: number): string {
    const at = this.#advance(bytes);
    return this.#buffer.toString("hex", at, at + bytes);
  }

  shortText(): string {
    const length = this.u8();
    const at = this.#advance(length);
    return this.#buffer.toString("latin1", at, at + length);
  }

  rest(): Uint8Array {
    return this.bytes(this.#end - this.#at);
  }

  skip(length: number): void {
    this.#advance(length);
  }

  /** Offset of the next field. */
  get at(): number {
    return this.#at;
  }

  /** Nothing is left to read. */
  get ended(): boolean {
    return this.#at === this.#end;
  }

  /** @throws DecodeError when bytes are left over. */
  finish(): void {
    if (this.#at !== this.#end) throw new DecodeError(`${this.#end - this.#at} bytes left over`);
  }

  #advance(bytes: number): number {
    const at = this.#at;
    if (at + bytes > this.#end) throw new DecodeError("the bytes end early");
    this.#at = at + bytes;
    return at;
  }
}
