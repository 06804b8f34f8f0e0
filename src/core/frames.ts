import { concatBytes } from "./bytes.ts";
import { ByteReader, DecodeError } from "./codec.ts";

/** A frame on a peer connection: its length in 4 bytes, then that many bytes. */
export const FRAME_HEADER_BYTES = 4;

/**
 * Cuts a stream of chunks into frames. Frames that lie within one chunk are views of it; one that
 * spans chunks is put together once, when it is whole.
 */
export class FrameSplitter {
  readonly #frameBytesMax: number;
  #chunks: Uint8Array[] = [];
  #length = 0;
  #at = 0;

  constructor({ frameBytesMax }: { frameBytesMax: number }) {
    this.#frameBytesMax = frameBytesMax;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#length += chunk.byteLength;
  }

  /**
   * @returns the next whole frame without its length, or undefined until more arrives.
   * @throws DecodeError on a frame over the bound: the connection cannot be trusted any more.
   */
  next(): Uint8Array | undefined {
    if (this.#length - this.#at < FRAME_HEADER_BYTES) return undefined;
    let head = this.#chunks[0];
    if (head === undefined) return undefined;
    if (head.byteLength - this.#at < FRAME_HEADER_BYTES) head = this.#join();
    const bodyBytes = new ByteReader(head, this.#at).u32();
    if (bodyBytes > this.#frameBytesMax) {
      throw new DecodeError(`a frame of ${bodyBytes} bytes exceeds ${this.#frameBytesMax}`);
    }
    const end = this.#at + FRAME_HEADER_BYTES + bodyBytes;
    if (this.#length < end) return undefined;
    if (head.byteLength < end) head = this.#join();
    const frame = head.subarray(this.#at + FRAME_HEADER_BYTES, end);
    this.#at = end;
    if (this.#at === head.byteLength) {
      this.#chunks.shift();
      this.#length -= this.#at;
      this.#at = 0;
    }
    return frame;
  }

  #join(): Uint8Array {
    const rest = this.#chunks.slice(1);
    const first = (this.#chunks[0] ?? concatBytes([])).subarray(this.#at);
    const joined = concatBytes([first, ...rest]);
    this.#chunks = [joined];
    this.#length = joined.byteLength;
    this.#at = 0;
    return joined;
  }
}
