import { concatBytes, EMPTY_BYTES } from "./bytes.ts";
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
  /** Bytes of the first chunk that were taken already. */
  #at = 0;
  /** Bytes of all chunks that were not. */
  #available = 0;

  constructor({ frameBytesMax }: { frameBytesMax: number }) {
    this.#frameBytesMax = frameBytesMax;
  }

  push(chunk: Uint8Array): void {
    if (chunk.byteLength === 0) return;
    this.#chunks.push(chunk);
    this.#available += chunk.byteLength;
  }

  /**
   * @returns the next whole frame without its length, or undefined until more arrives.
   * @throws DecodeError on a frame over the bound: the connection cannot be trusted any more.
   */
  next(): Uint8Array | undefined {
    if (this.#available < FRAME_HEADER_BYTES) return undefined;
    const bodyBytes = new ByteReader(this.#head(FRAME_HEADER_BYTES), this.#at).u32();
    if (bodyBytes > this.#frameBytesMax) {
      throw new DecodeError(`a frame of ${bodyBytes} bytes exceeds ${this.#frameBytesMax}`);
    }
    const frameBytes = FRAME_HEADER_BYTES + bodyBytes;
    if (this.#available < frameBytes) return undefined;
    const head = this.#head(frameBytes);
    const frame = head.subarray(this.#at + FRAME_HEADER_BYTES, this.#at + frameBytes);
    this.#at += frameBytes;
    this.#available -= frameBytes;
    if (this.#at === head.byteLength) {
      this.#chunks.shift();
      this.#at = 0;
    }
    return frame;
  }

  /** The first chunk, made to hold at least `bytes` from `#at` on. */
  #head(bytes: number): Uint8Array {
    const first = this.#chunks[0] ?? EMPTY_BYTES;
    if (first.byteLength - this.#at >= bytes) return first;
    const joined = concatBytes([first.subarray(this.#at), ...this.#chunks.slice(1)]);
    this.#chunks = [joined];
    this.#at = 0;
    return joined;
  }
}
