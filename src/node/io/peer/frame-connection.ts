import type { Socket } from "node:net";
import { ByteReader, ByteWriter } from "../../../core/codec.ts";
import { appendFrame, FrameSplitter } from "../../../core/frames.ts";

const CORRELATION_BYTES = 4;
/** Turns of the event loop for which a frame may wait for others. */
const GATHER_TURNS_MAX = 4;
const SPARE_WRITERS_MAX = 4;
/** A writer that has grown for a burst of large values is let go. */
const SPARE_WRITER_BYTES_MAX = 64 * 1024;

interface FrameHandler {
  onFrame(correlation: number, payload: Uint8Array): void;
  /** Once, whoever ended the connection. */
  onClose(reason: string): void;
}

/**
 * Frames over one upgraded socket. A body is
 *
 *     correlation, 4 bytes | payload
 *
 * An answer repeats the correlation of its request. What is appended together leaves in one write.
 */
export class FrameConnection {
  readonly #socket: Socket;
  readonly #handler: FrameHandler;
  #writer = new ByteWriter();
  /** Writers whose bytes the operating system has taken. */
  readonly #spareWriters: ByteWriter[] = [];
  readonly #splitter: FrameSplitter;
  readonly #pauseAboveBytes: number;
  #flushScheduled = false;
  #paused = false;
  #closed = false;

  /** With `pauseAboveBytes` queued nothing more is read: whoever takes no answers is asked no more. */
  constructor(
    socket: Socket,
    opts: { payloadBytesMax: number; pauseAboveBytes?: number },
    handler: FrameHandler,
  ) {
    this.#pauseAboveBytes = opts.pauseAboveBytes ?? Number.POSITIVE_INFINITY;
    this.#socket = socket;
    this.#handler = handler;
    this.#splitter = new FrameSplitter({
      frameBytesMax: CORRELATION_BYTES + opts.payloadBytesMax,
    });
    socket.setTimeout(0);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 10_000);
    socket.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    socket.on("error", (error) => this.destroy(error.message));
    socket.on("end", () => this.destroy("the peer closed the connection"));
    socket.on("close", () => this.destroy("the connection closed"));
  }

  /** Bytes appended that the operating system has not taken yet. */
  get queuedBytes(): number {
    return this.#writer.length + this.#socket.writableLength;
  }

  append(correlation: number, encode: (writer: ByteWriter) => void): void {
    if (this.#closed) return;
    appendFrame(this.#writer, (writer) => {
      writer.u32(correlation);
      encode(writer);
    });
    if (!this.#paused && this.queuedBytes >= this.#pauseAboveBytes) {
      this.#paused = true;
      this.#socket.pause();
    }
    if (!this.#flushScheduled) {
      this.#flushScheduled = true;
      setImmediate(() => this.#gather(this.#writer.length, GATHER_TURNS_MAX));
    }
  }

  /**
   * Looks once more for what is there already: as long as each turn of the event loop brings more
   * frames they leave together. A turn without news costs a lone frame a few microseconds.
   */
  #gather(lengthBefore: number, turnsLeft: number): void {
    if (turnsLeft === 0 || this.#closed) return this.#flush();
    setImmediate(() => {
      const { length } = this.#writer;
      if (length === lengthBefore) this.#flush();
      else this.#gather(length, turnsLeft - 1);
    });
  }

  destroy(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.destroy();
    this.#handler.onClose(reason);
  }

  #flush(): void {
    this.#flushScheduled = false;
    if (this.#closed) return;
    const writer = this.#writer;
    this.#writer = this.#spareWriters.pop() ?? new ByteWriter();
    this.#socket.write(writer.written(), () => {
      if (this.#paused && this.queuedBytes < this.#pauseAboveBytes) {
        this.#paused = false;
        this.#socket.resume();
      }
      if (writer.length > SPARE_WRITER_BYTES_MAX) return;
      if (this.#spareWriters.length >= SPARE_WRITERS_MAX) return;
      writer.clear();
      this.#spareWriters.push(writer);
    });
  }

  #receive(chunk: Uint8Array): void {
    if (this.#closed) return;
    try {
      this.#splitter.push(chunk);
      for (let frame = this.#splitter.next(); frame; frame = this.#splitter.next()) {
        const correlation = new ByteReader(frame).u32();
        this.#handler.onFrame(correlation, frame.subarray(CORRELATION_BYTES));
      }
    } catch (error) {
      // Frame boundaries are lost, or a handler has a bug: either way this connection is over.
      this.destroy(error instanceof Error ? error.message : String(error));
    }
  }
}
