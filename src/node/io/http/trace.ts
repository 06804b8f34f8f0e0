import type { IncomingMessage } from "node:http";

/** Version, trace, parent and flags; a version after 00 may say more (W3C Trace Context, 3.2). */
const TRACEPARENT =
  /^(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(-.*)?$/;

/** As the answer repeats it; undefined: there is none, or none of that form, and none is made up. */
export function traceparentOf({ headers }: IncomingMessage): string | undefined {
  const given = headers["traceparent"];
  if (typeof given !== "string") return undefined;
  const [, version, known, more] = TRACEPARENT.exec(given) ?? [];
  if (known === undefined || (version === "00" && more !== undefined)) return undefined;
  return `00-${known}`;
}

/** Where the time of an answer went, as `Server-Timing` tells it. */
export class Timing {
  readonly #startedAt = performance.now();
  #told = "";

  /** Waits for a part of the work that takes time of its own. */
  async of<T>(part: "body" | "quorum", work: Promise<T>): Promise<T> {
    const startedAt = performance.now();
    try {
      return await work;
    } finally {
      this.#told += `${part};dur=${milliseconds(startedAt)}, `;
    }
  }

  text(): string {
    return `${this.#told}total;dur=${milliseconds(this.#startedAt)}`;
  }
}

function milliseconds(since: number): string {
  return (performance.now() - since).toFixed(1);
}
