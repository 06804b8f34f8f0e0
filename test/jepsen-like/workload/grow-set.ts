import { KvClient, hasCode } from "../../../src/client/client.ts";
import type { SiblingContent } from "../../../src/client/client.ts";
import { contentsOf } from "../../../src/client/reading.ts";

const KEY = "set";
/** For an operation with all its retries, also while a cut is not known yet. */
const TIMEOUT_MS = 10_000;
const FINAL_TIMEOUT_MS = 30_000;

export interface GrowSetOptions {
  readonly bucket: string;
  /** How an element is added: with what the read has seen, or by whoever writes last. */
  readonly by: "update" | "get-and-put";
  readonly clients: number;
  readonly elementsEach: number;
}

/** A set in one key, to which clients add by read, modify and write; nothing is ever taken out. */
export class GrowSet {
  readonly acknowledged = new Set<string>();
  /** May be in it. */
  readonly inDoubt = new Set<string>();
  /** Codes of proven refusals, after all retries, with how many there were. */
  readonly refused = new Map<string, number>();
  siblingsMost = 0;
  readonly #options: GrowSetOptions;
  readonly #urls: readonly string[];
  #isOver = false;
  #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  constructor(options: GrowSetOptions, urls: readonly string[]) {
    this.#options = options;
    this.#urls = urls;
  }

  /** All clients at once, each one element after the other, each through a node of its own first. */
  async run(): Promise<void> {
    const clients = Array.from({ length: this.#options.clients }, (_, i) => this.#runClient(i));
    await Promise.all(clients);
    this.#isOver = true;
    this.#wake();
  }

  /** Resolves when so many more elements have been acknowledged, or none will be any more. */
  grown(by: number): Promise<void> {
    const count = this.acknowledged.size + by;
    return new Promise((resolve) => {
      this.#waiting.push({ count, resolve });
      this.#wake();
    });
  }

  /** What all replicas together hold, read through one node. */
  async read(url: string): Promise<ReadonlySet<string>> {
    await using client = new KvClient({ endpoints: [url], attemptsMax: 100 });
    const { bucket } = this.#options;
    const reading = await client.get(KEY, { bucket, r: "all", timeoutMs: FINAL_TIMEOUT_MS });
    return elementsOf(contentsOf(reading));
  }

  async #runClient(number: number): Promise<void> {
    const first = number % this.#urls.length;
    const endpoints = [...this.#urls.slice(first), ...this.#urls.slice(0, first)];
    await using client = new KvClient({ endpoints, timeoutMs: TIMEOUT_MS, attemptsMax: 10 });
    for (let i = 0; i < this.#options.elementsEach; i++) {
      const element = `${number}.${i}`;
      try {
        await this.#add(client, element);
        this.acknowledged.add(element);
        this.#wake();
      } catch (error) {
        this.#note(element, error);
      }
    }
  }

  async #add(client: KvClient, element: string): Promise<void> {
    const { bucket, by } = this.#options;
    const merge = (contents: readonly SiblingContent[]): string => {
      this.siblingsMost = Math.max(this.siblingsMost, contents.length);
      return [...elementsOf(contents), element].join();
    };
    if (by === "update") {
      await client.update(KEY, merge, { bucket });
      return;
    }
    const reading = await client.get(KEY, { bucket });
    await client.put(KEY, merge(contentsOf(reading)), { bucket });
  }

  #note(element: string, error: unknown): void {
    if (!(error instanceof Error) || !("outcome" in error)) throw error;
    // A read in doubt has proven nothing about the write that would have followed, for it never left.
    if (error.outcome === "unknown" && !hasCode(error, "read-timeout")) this.inDoubt.add(element);
    else {
      const code = "code" in error ? String(error.code) : "";
      this.refused.set(code, (this.refused.get(code) ?? 0) + 1);
    }
  }

  #wake(): void {
    const count = this.#isOver ? Infinity : this.acknowledged.size;
    for (const waiting of this.#waiting) if (waiting.count <= count) waiting.resolve();
    this.#waiting = this.#waiting.filter((waiting) => waiting.count > count);
  }
}

function elementsOf(contents: readonly SiblingContent[]): ReadonlySet<string> {
  const texts = contents.map(({ value }) => Buffer.from(value ?? []).toString());
  return new Set(texts.flatMap((text) => (text === "" ? [] : text.split(","))));
}
