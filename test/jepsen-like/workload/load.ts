import { setTimeout as sleep } from "node:timers/promises";
import { SeededRng } from "../../../src/testing/seeded-rng.ts";
import { waitFor } from "../../support/real-kv.ts";
import type { Journal } from "./journal.ts";
import { RecordedClient } from "./recorded-client.ts";

/** A client that was refused waits a little: without a pause one dead node uses up the machine. */
const REFUSED_PAUSE_MS = 20;
const READERS = 32;
/** An error that outlives so many gets lasts. */
const TRIES_MAX = 1_000;

export interface LoadOptions {
  /** Clients are spread evenly over these nodes. */
  readonly urls: readonly string[];
  readonly clients: number;
  readonly keys: readonly string[];
  readonly valueBytes: number;
  /** Share of gets; the rest are puts. */
  readonly getShare: number;
  /** Share of the puts that want all replicas instead of a quorum. */
  readonly allShare?: number;
}

/** Clients that do one operation after the other on common keys, until they are stopped. */
export class Load implements AsyncDisposable {
  readonly #options: LoadOptions;
  readonly #journal: Journal;
  readonly #clients: readonly RecordedClient[];
  readonly #running: Promise<unknown>;
  #stopped = false;

  constructor(options: LoadOptions, journal: Journal) {
    this.#options = options;
    this.#journal = journal;
    this.#clients = newClients(options, journal);
    this.#running = Promise.all(this.#clients.map((client) => this.#run(client)));
  }

  /** Resolves when `count` more operations have succeeded. */
  async succeed(count: number): Promise<void> {
    const enough = this.#journal.succeeded + count;
    await waitFor(`${count} more operations to succeed`, () =>
      this.#journal.succeeded >= enough ? true : undefined,
    );
  }

  /** Lets operations under way end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#running;
    await Promise.all(this.#clients.map((client) => client[Symbol.asyncDispose]()));
  }

  async #run(client: RecordedClient): Promise<void> {
    const { keys, getShare, allShare = 0 } = this.#options;
    const rng = new SeededRng(`load/${client.number}`);
    while (!this.#stopped) {
      const key = keys[rng.below(keys.length)] ?? "";
      const isGet = rng.fraction() < getShare;
      const w = rng.fraction() < allShare ? 3 : 2;
      const failed = await (isGet ? client.get(key) : client.put(key, { w }));
      if (failed !== undefined) await sleep(REFUSED_PAUSE_MS);
    }
  }
}

/** Puts each key once. */
export async function preload(
  options: Pick<LoadOptions, "urls" | "keys" | "valueBytes"> & { readonly w?: number },
  journal: Journal,
): Promise<void> {
  const { keys, w = 2 } = options;
  const queue = keys.values();
  await withClients({ ...options, clients: READERS }, journal, async (client) => {
    for (const key of queue) await client.put(key, { w });
  });
}

/** Gets each key through each node, as often as it takes until it is answered. */
export async function readAll(
  options: Pick<LoadOptions, "urls" | "keys"> & { readonly r?: number },
  journal: Journal,
): Promise<void> {
  const { keys, r = 2 } = options;
  for (const url of options.urls) {
    const queue = keys.values();
    const clients = { urls: [url], clients: READERS, valueBytes: 0 };
    await withClients(clients, journal, async (client) => {
      for (const key of queue) await getUntilAnswered(client, key, r);
    });
  }
}

async function getUntilAnswered(client: RecordedClient, key: string, r: number): Promise<void> {
  for (let tries = 1; ; tries++) {
    const code = await client.get(key, { r });
    if (code === undefined) return;
    if (tries === TRIES_MAX) throw new Error(`no get of ${key} is answered, the last by ${code}`);
    await sleep(REFUSED_PAUSE_MS);
  }
}

/** All clients draw from one queue, so none waits for another. */
async function withClients(
  options: Pick<LoadOptions, "urls" | "clients" | "valueBytes">,
  journal: Journal,
  use: (client: RecordedClient) => Promise<void>,
): Promise<void> {
  const clients = newClients(options, journal);
  await Promise.all(clients.map(use));
  await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
}

function newClients(
  { urls, clients, valueBytes }: Pick<LoadOptions, "urls" | "clients" | "valueBytes">,
  journal: Journal,
): readonly RecordedClient[] {
  return Array.from({ length: clients }, (_, index) => {
    const url = urls[index % urls.length] ?? "";
    return new RecordedClient({ number: journal.newClient(), url, valueBytes }, journal);
  });
}

export function keysNamed(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
}
