import type { Dispatcher } from "undici";
import { concatBytes } from "../core/bytes.ts";

export interface HttpRequest {
  readonly method: "GET" | "PUT" | "DELETE" | "POST";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

/** Only `unsent` proves that no node saw the request. */
export type Exchanged =
  | { readonly kind: "answered"; readonly answer: HttpAnswer }
  | { readonly kind: "lost"; readonly cause: Error; readonly timedOut: boolean }
  | { readonly kind: "unsent"; readonly cause: Error };

/**
 * One request over one connection. Never rejects: how it failed decides whether and how it may be
 * tried again. Gives up after `timeoutMs`, or when the signal aborts.
 */
export function exchange(
  pool: Dispatcher,
  request: HttpRequest,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal | undefined },
): Promise<Exchanged> {
  return new Promise((resolve) => {
    const handler = new ExchangeHandler((exchanged) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      resolve(exchanged);
    });
    const abort = () => handler.abandon(new Error("aborted"));
    const timer = setTimeout(
      () => handler.abandon(new Error(`no answer within ${Math.round(timeoutMs)} ms`)),
      timeoutMs,
    );
    signal?.addEventListener("abort", abort);
    const { method, path, headers, body } = request;
    pool.dispatch({ method, path, headers, body: body ?? null }, handler);
  });
}

/**
 * undici calls `onRequestStart` immediately before it writes the first byte to a socket, and takes
 * an abort inside that call as "do not write": so whatever ends before it was provably never sent.
 */
class ExchangeHandler implements Dispatcher.DispatchHandler {
  readonly #settle: (exchanged: Exchanged) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #abandoned: Error | undefined;
  #status = 0;
  #headers = new Map<string, string>();
  readonly #chunks: Uint8Array[] = [];

  constructor(settle: (exchanged: Exchanged) => void) {
    this.#settle = settle;
  }

  abandon(cause: Error): void {
    this.#abandoned = cause;
    if (this.#controller === undefined) this.#settle({ kind: "unsent", cause });
    else this.#controller.abort(cause);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#abandoned !== undefined) controller.abort(this.#abandoned);
    else this.#controller = controller;
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    this.#status = status;
    this.#headers = new Map(
      Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]),
    );
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    const answer = {
      status: this.#status,
      headers: this.#headers,
      body: concatBytes(this.#chunks),
    };
    this.#settle({ kind: "answered", answer });
  }

  onResponseError(_controller: Dispatcher.DispatchController, cause: Error): void {
    const timedOut = this.#abandoned !== undefined;
    this.#settle(
      this.#controller === undefined
        ? { kind: "unsent", cause }
        : { kind: "lost", cause, timedOut },
    );
  }
}
