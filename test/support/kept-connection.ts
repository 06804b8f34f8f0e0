import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";

export interface KeptAnswer {
  readonly status: number;
  /** In lower case. */
  readonly head: string;
  readonly body: string;
}

/** One connection that a client keeps between its requests, down to the byte. */
export class KeptConnection {
  readonly #socket: Socket;
  #received = "";
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("latin1").on("data", (text: string) => {
      this.#received += text;
      this.#wake();
    });
    // After a reset, what matters is what had come before it.
    socket.on("error", () => undefined).on("close", () => this.#wake());
  }

  static async open(port: number): Promise<KeptConnection> {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    return new KeptConnection(socket);
  }

  /** Resolves when the other side, or {@link close}, has ended it. */
  async closed(): Promise<void> {
    while (!this.#socket.closed) await this.#somethingHappens();
  }

  send(bytes: string): void {
    this.#received = "";
    this.#socket.write(bytes, "latin1");
  }

  /**
   * The whole answer to what was sent last; undefined if the connection was closed before a byte of it.
   * @throws if it was closed within.
   */
  async answer(): Promise<KeptAnswer | undefined> {
    for (;;) {
      const answer = wholeAnswer(this.#received);
      if (answer !== undefined) return answer;
      if (this.#socket.closed) break;
      await this.#somethingHappens();
    }
    if (this.#received === "") return undefined;
    throw new Error(`the connection was closed within an answer: ${this.#received}`);
  }

  ask(bytes: string): Promise<KeptAnswer | undefined> {
    this.send(bytes);
    return this.answer();
  }

  /** Reads nothing more, so that the other side cannot finish what exceeds the buffers between. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** All that came since the last {@link send}. */
  get received(): string {
    return this.#received;
  }

  close(): void {
    this.#socket.destroy();
  }

  #somethingHappens(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }
}

function wholeAnswer(text: string): KeptAnswer | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const head = text.slice(0, end).toLowerCase();
  const body = text.slice(end + 4);
  const length = Number(/^content-length: (\d+)$/m.exec(head)?.[1] ?? 0);
  if (body.length < length) return undefined;
  return { status: Number(head.split(" ")[1]), head, body };
}
