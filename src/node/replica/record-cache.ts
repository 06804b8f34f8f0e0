import type { RecordKey } from "../../core/record-key.ts";
import { latin1Text } from "../../core/bytes.ts";
import type { KvRecord } from "../../core/version/record.ts";
import type { Telemetry } from "../../ports/telemetry.ts";

/** What a key, its absence and the bookkeeping of a Map cost beside the record's bytes. */
const ENTRY_OVERHEAD_BYTES = 400;
const SLOT_COUNT = 4096;

/** The record that is stored, or proof that none is. */
export interface CacheEntry {
  readonly record: KvRecord | undefined;
}

interface Kept extends CacheEntry {
  /** Looked up since it was last considered for eviction. */
  used: boolean;
}

/** Says which commits a storage read could not have seen yet. */
export type ReadTicket = number;

/**
 * Records used lately, as committed, bounded in bytes; eviction gives a second chance to what was
 * used since it was last considered (the CLOCK algorithm). A commit enters its result here after the
 * batch succeeded; a storage read enters its own only if no commit to the same slot of keys came
 * between, so an entry is never older than the storage.
 */
export class RecordCache {
  readonly #bytesMax: number;
  /** The hand of the clock stands before the first. */
  readonly #entries = new Map<string, Kept>();
  readonly #commits = new Uint32Array(SLOT_COUNT);
  #bytes = 0;

  readonly #hits: { add(): void };
  readonly #misses: { add(): void };

  constructor(
    { recordCacheBytes }: { recordCacheBytes: number },
    { telemetry }: { readonly telemetry: Telemetry },
  ) {
    const { cacheLookups } = telemetry.metrics;
    this.#bytesMax = recordCacheBytes;
    this.#hits = cacheLookups.with("hit");
    this.#misses = cacheLookups.with("miss");
  }

  /** What all of it takes, an estimate. */
  get bytes(): number {
    return this.#bytes;
  }

  lookUp(key: RecordKey): CacheEntry | undefined {
    const entry = this.#entries.get(latin1Text(key));
    if (entry === undefined) {
      this.#misses.add();
      return undefined;
    }
    this.#hits.add();
    entry.used = true;
    return entry;
  }

  /** Taken before a storage read of `key` begins, handed back with what it found. */
  ticket(key: RecordKey): ReadTicket {
    return this.#commits[slotOf(key)] ?? 0;
  }

  enterRead(key: RecordKey, record: KvRecord | undefined, ticket: ReadTicket): void {
    if (this.ticket(key) === ticket) this.#enter(key, record);
  }

  enterCommit(key: RecordKey, record: KvRecord): void {
    this.#outdateTickets(key);
    this.#enter(key, record);
  }

  /** What is stored for the key is not to be served from here, nor what a read under way finds. */
  drop(key: RecordKey): void {
    this.#outdateTickets(key);
    const id = latin1Text(key);
    const before = this.#entries.get(id);
    if (before === undefined) return;
    this.#bytes -= sizeOf(id, before);
    this.#entries.delete(id);
  }

  /** The same for all keys. */
  clear(): void {
    for (const slot of this.#commits.keys()) this.#commits[slot] = (this.#commits[slot] ?? 0) + 1;
    this.#entries.clear();
    this.#bytes = 0;
  }

  #outdateTickets(key: RecordKey): void {
    const slot = slotOf(key);
    this.#commits[slot] = (this.#commits[slot] ?? 0) + 1;
  }

  #enter(key: RecordKey, record: KvRecord | undefined): void {
    const id = latin1Text(key);
    const before = this.#entries.get(id);
    if (before !== undefined) this.#bytes -= sizeOf(id, before);
    const entry = { record, used: false };
    this.#entries.set(id, entry);
    this.#bytes += sizeOf(id, entry);
    if (this.#bytes > this.#bytesMax) this.#evict();
  }

  /** Ends: each turn either frees an entry or takes its second chance away. */
  #evict(): void {
    for (const [id, entry] of this.#entries) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#entries.delete(id);
      if (entry.used) {
        entry.used = false;
        this.#entries.set(id, entry);
      } else {
        this.#bytes -= sizeOf(id, entry);
      }
    }
  }
}

function sizeOf(id: string, { record }: CacheEntry): number {
  return ENTRY_OVERHEAD_BYTES + id.length + (record?.bytes.byteLength ?? 0);
}

/** Any spread will do: two keys in one slot cost a cache entry, never its truth. */
function slotOf(key: RecordKey): number {
  const n = key.byteLength;
  const tail = (key[n - 1] ?? 0) + 31 * (key[n - 2] ?? 0) + 961 * (key[n - 3] ?? 0);
  return (tail ^ ((key[2] ?? 0) << 4)) % SLOT_COUNT;
}
