import { Agent } from "node:http";
import { send } from "./raw-http.ts";
import type { RawResponse } from "./raw-http.ts";

const FIRST = "first";
const LAST = "last";

export interface LoadOptions {
  readonly port: number;
  readonly clients: number;
}

/**
 * Clients of one address, each on a kept connection: they write a key twice and read it, then the
 * next one, until they are stopped. None tries anything again.
 */
export class FrontLoad {
  /** Whose second write was acknowledged. */
  readonly keys: string[] = [];
  /** Requests that had another answer than in a cluster without faults, or none. */
  readonly failures: string[] = [];
  requests = 0;
  readonly #port: number;
  readonly #clients: readonly Promise<void>[];
  #stopped = false;
  #waiting: { readonly until: number; readonly resolve: () => void }[] = [];

  constructor({ port, clients }: LoadOptions) {
    this.#port = port;
    this.#clients = Array.from({ length: clients }, (_, client) => this.#run(client));
  }

  /** Resolves when `count` more requests have been answered, well or not. */
  more(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ until: this.requests + count, resolve });
    });
  }

  /** Resolves when the last request has its answer. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
  }

  /** Keys that do not have their second value, as a node tells at a quorum. */
  async misread(url: string): Promise<readonly string[]> {
    const port = Number(new URL(url).port);
    const agent = new Agent({ keepAlive: true, maxSockets: 16 });
    const answers = await Promise.all(
      this.keys.map((key) => send({ port, target: `${targetOf(key)}?r=2`, agent })),
    );
    agent.destroy();
    return this.keys.filter((_, index) => answers[index]?.body !== LAST);
  }

  async #run(client: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let nth = 0; !this.#stopped; nth += 1) {
      const key = `${client}-${nth}`;
      await this.#write(key, FIRST, agent);
      if (await this.#write(key, LAST, agent)) this.keys.push(key);
      await this.#request({ port: this.#port, target: targetOf(key), agent }, LAST);
    }
    agent.destroy();
  }

  #write(key: string, body: string, agent: Agent): Promise<boolean> {
    const method = "PUT";
    return this.#request({ port: this.#port, method, target: targetOf(key), body, agent }, "");
  }

  /** @returns whether it was answered as it should. */
  async #request(request: Parameters<typeof send>[0], expected: string): Promise<boolean> {
    const answer = await send(request).catch((error: unknown) => String(error));
    const well = typeof answer !== "string" && answer.status < 300 && answer.body === expected;
    const { method = "GET", target } = request;
    if (!well) this.failures.push(`${method} ${target}: ${described(answer)}`);
    this.requests += 1;
    for (const { until, resolve } of this.#waiting) if (this.requests >= until) resolve();
    this.#waiting = this.#waiting.filter(({ until }) => this.requests < until);
    return well;
  }
}

const targetOf = (key: string): string => `/v1/kv/default/${key}`;

const described = (answer: RawResponse | string): string =>
  typeof answer === "string" ? answer : `${answer.status} ${answer.body}`;
