import { concatBytes, EMPTY_BYTES } from "./bytes.ts";
import { ByteReader, DecodeError } from "./codec.ts";
import type { ByteWriter } from "./codec.ts";
import { crc32 } from "./hash.ts";

/**
 * A frame on a peer connection: length of its body, 4 bytes | CRC-32 of its body, 4 bytes | body. TCP's
 * own checksum lets one damaged segment in some millions pass, and a flipped bit in a stamp or an epoch
 * would be believed.
 */
const FRAME_HEADER_BYTES = 8;

/** Appends one frame, whose body is what `encode` appends. */
export function appendFrame(writer: ByteWriter, encode: (writer: ByteWriter) => void): void {
  const start = writer.length;
  writer.u32(0);
  writer.u32(0);
  encode(writer);
  const body = writer.written().subarray(start + FRAME_HEADER_BYTES);
  writer.patchU32(start, body.byteLength);
  writer.patchU32(start + 4, crc32(body));
}

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
   * @returns the body of the next whole frame, or undefined until more arrives.
   * @throws DecodeError on a damaged frame or one over the bound: the connection is not to be trusted.
   */
  next(): Uint8Array | undefined {
    if (this.#available < FRAME_HEADER_BYTES) return undefined;
    const header = new ByteReader(this.#head(FRAME_HEADER_BYTES), this.#at);
    const bodyBytes = header.u32();
    const checksum = header.u32();
    if (bodyBytes > this.#frameBytesMax) {
      throw new DecodeError(`a frame of ${bodyBytes} bytes exceeds ${this.#frameBytesMax}`);
    }
    const frameBytes = FRAME_HEADER_BYTES + bodyBytes;
    if (this.#available < frameBytes) return undefined;
    const head = this.#head(frameBytes);
    const frame = head.subarray(this.#at + FRAME_HEADER_BYTES, this.#at + frameBytes);
    if (crc32(frame) !== checksum) throw new DecodeError("a frame is damaged");
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
