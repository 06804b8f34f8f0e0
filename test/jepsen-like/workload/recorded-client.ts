import { KvClient, KvError } from "../../../src/client/client.ts";
import type { Operation } from "../../../src/checker/history.ts";
import type { Journal } from "./journal.ts";
import { valueOf, versionOf } from "./value.ts";

const N = 3;
const QUORUM = 2;

export interface RecordedClientOptions {
  /** Unique in the run. */
  readonly number: number;
  /** The one node that it asks. */
  readonly url: string;
  readonly valueBytes: number;
}

/**
 * One client with one connection that it keeps. It does one operation at a time, tries each once, and
 * writes down what it saw. Each value is written once in a run, so a value read tells which attempt
 * wrote it.
 */
export class RecordedClient implements AsyncDisposable {
  readonly #options: RecordedClientOptions;
  readonly #journal: Journal;
  readonly #client: KvClient;
  #written = 0;

  get number(): number {
    return this.#options.number;
  }

  constructor(options: RecordedClientOptions, journal: Journal) {
    this.#options = options;
    this.#journal = journal;
    this.#client = new KvClient({ endpoints: [options.url], attemptsMax: 1, connectionsMax: 1 });
  }

  /** @returns the code of the error, or undefined when it was acknowledged. */
  async put(key: string, { w = QUORUM }: { w?: number } = {}): Promise<string | undefined> {
    const version = `${this.#options.number}.${++this.#written}`;
    return this.#record({ kind: "put", key, version, r: QUORUM, w }, async () => {
      await this.#client.put(key, valueOf(version, this.#options.valueBytes), { w });
      return version;
    });
  }

  /** @returns the code of the error, or undefined when R replicas answered. */
  async get(key: string, { r = QUORUM }: { r?: number } = {}): Promise<string | undefined> {
    return this.#record({ kind: "get", key, version: undefined, r, w: QUORUM }, async () => {
      const reading = await this.#client.get(key, { r });
      return reading.kind === "value" ? versionOf(reading.value) : undefined;
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#client.close();
  }

  async #record(
    plan: Pick<Operation, "kind" | "key" | "version" | "r" | "w">,
    perform: () => Promise<string | undefined>,
  ): Promise<string | undefined> {
    const call = performance.now();
    const { number, url } = this.#options;
    const common = {
      ...plan,
      client: number,
      node: url,
      call,
      stamp: undefined,
      expiresAt: undefined,
      expired: false,
      n: N,
      durability: "sync",
    } as const;
    try {
      const version = await perform();
      const end = performance.now();
      this.#journal.add({ ...common, version, end, over: end, outcome: "ok", error: undefined });
      return undefined;
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      const over = performance.now();
      const { outcome, code } = error;
      const end = outcome === "unknown" ? undefined : over;
      this.#journal.add({ ...common, end, over, outcome, error });
      return code;
    }
  }
}
