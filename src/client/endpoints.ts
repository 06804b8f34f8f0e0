import { Pool } from "undici";
import { KvError } from "../core/errors.ts";
import type { ClientLimits, ClientModules } from "./options.ts";

const CONNECT_TIMEOUT_MS = 2_000;

export interface Endpoint {
  readonly url: string;
  readonly pool: Pool;
  /** Until this instant others are asked first. */
  restsUntil: number;
}

/** The endpoints of one client, each with its connections, asked in turn. */
export class EndpointSet {
  readonly #endpoints: readonly Endpoint[];
  readonly #limits: ClientLimits;
  readonly #now: () => number;
  #turn: number;

  constructor(
    { urls, limits }: { urls: readonly string[]; limits: ClientLimits },
    { now, random }: Pick<ClientModules, "now" | "random">,
  ) {
    if (urls.length === 0) throw new KvError("option-invalid", "no endpoint is given");
    this.#limits = limits;
    this.#now = now;
    this.#endpoints = urls.map((url) => this.#open(parseEndpoint(url)));
    // Clients that start together must not all begin with the same node.
    this.#turn = Math.floor(random() * urls.length);
  }

  /** Prefers endpoints that this call has not tried, and among those the ones that do not rest. */
  pick(tried: ReadonlySet<Endpoint>): Endpoint {
    const rank = (endpoint: Endpoint) =>
      (tried.has(endpoint) ? 2 : 0) + (endpoint.restsUntil > this.#now() ? 1 : 0);
    const turn = this.#turn;
    this.#turn = (turn + 1) % this.#endpoints.length;
    return [...this.#endpoints.slice(turn), ...this.#endpoints.slice(0, turn)].reduce(
      (best, candidate) => (rank(candidate) < rank(best) ? candidate : best),
    );
  }

  hasUntried(tried: ReadonlySet<Endpoint>): boolean {
    return tried.size < this.#endpoints.length;
  }

  named(url: string): Endpoint {
    const wanted = parseEndpoint(url);
    const endpoint = this.#endpoints.find((candidate) => candidate.url === wanted);
    if (endpoint === undefined) {
      throw new KvError("option-invalid", `'${url}' is not an endpoint of this client`);
    }
    return endpoint;
  }

  rest(endpoint: Endpoint): void {
    endpoint.restsUntil = this.#now() + this.#limits.endpointRestMs;
  }

  async close(): Promise<void> {
    await Promise.all(this.#endpoints.map((endpoint) => endpoint.pool.destroy()));
  }

  #open(url: string): Endpoint {
    const pool = new Pool(url, {
      connections: this.#limits.connectionsMax,
      maxResponseSize: this.#limits.answerBytesMax,
      connect: { timeout: CONNECT_TIMEOUT_MS },
      // undici's own deadlines are off by up to a second; each attempt carries its own.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    return { url, pool, restsUntil: 0 };
  }
}

/** @returns the origin, `http://host:port`. */
function parseEndpoint(text: string): string {
  const withScheme = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined;
  const plain =
    url !== undefined &&
    (url.protocol === "http:" || url.protocol === "https:") &&
    url.pathname === "/" &&
    url.search === "" &&
    url.hash === "" &&
    url.username === "";
  if (!plain) {
    throw new KvError(
      "option-invalid",
      `'${text}' is no endpoint: http://HOST:PORT, without a path`,
    );
  }
  return url.origin;
}
