import { copyBytes, equalBytes, latin1, latin1Text } from "../core/bytes.ts";
import type { StorageWrite } from "../ports/storage.ts";

/** One batch in a log. */
export interface LogEntry {
  readonly writes: readonly { readonly id: string; value: Uint8Array | undefined }[];
}

interface LogSegment {
  readonly entries: LogEntry[];
  /** So many of the first entries are on the disk for certain. */
  synced: number;
}

/**
 * What one LevelDB has on its disk, with the weaknesses of the real one: a log of batches of which
 * only what an fsync has covered survives a loss of power, and an fsync covers the current log file
 * only. A log that was rotated away with an unsynced tail can therefore lose records that are older
 * than synced ones (google/leveldb #193).
 */
export class DiskImage {
  /** In byte order when sorted: one character a byte. */
  #visible = new Map<string, Uint8Array>();
  /** What no loss of power can take any more; the segments are newer. */
  readonly #durable = new Map<string, Uint8Array>();
  #segments: LogSegment[] = [{ entries: [], synced: 0 }];
  /** A batch was cut off in the middle of the log: what is written behind it is never found again. */
  #torn = false;
  /** Keys whose block cannot be read until they are written anew. */
  readonly #unreadable = new Set<string>();
  #everSynced = false;

  /** False for a database that lost power before its first fsync: LevelDB does not open it. */
  get opens(): boolean {
    return this.#everSynced || this.#segments.some(({ entries }) => entries.length > 0);
  }

  /** What tables and logs take. */
  get usedBytes(): number {
    let bytes = 0;
    for (const [id, value] of this.#durable) bytes += sizeOf(id, value);
    for (const { entries } of this.#segments) {
      for (const { writes } of entries) {
        for (const { id, value } of writes) bytes += sizeOf(id, value);
      }
    }
    return bytes;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#visible.get(latin1Text(key));
  }

  isReadable(key: Uint8Array): boolean {
    return !this.#unreadable.has(latin1Text(key));
  }

  /** In byte order. */
  entries(): readonly (readonly [key: Uint8Array, value: Uint8Array])[] {
    const ids = [...this.#visible.keys()].toSorted((a, b) => (a < b ? -1 : 1));
    return ids.map((id) => [latin1(id), this.#visible.get(id) ?? latin1("")]);
  }

  /** The keys between two others, in byte order. */
  keysBetween(after: Uint8Array, before: Uint8Array): readonly Uint8Array[] {
    const [first, last] = [latin1Text(after), latin1Text(before)];
    const ids = [...this.#visible.keys()].filter((id) => id > first && id < last);
    return ids.toSorted((a, b) => (a < b ? -1 : 1)).map((id) => latin1(id));
  }

  /** Into the current log file, where a restart finds it; readers do not see it yet. */
  append(writes: readonly StorageWrite[]): LogEntry {
    const entry = {
      writes: writes.map(({ key, value }) => ({
        id: latin1Text(key),
        value: value === undefined ? undefined : copyBytes(value),
      })),
    };
    if (!this.#torn) this.#segments.at(-1)?.entries.push(entry);
    return entry;
  }

  /** Shows the entry to readers. */
  reveal(entry: LogEntry): void {
    apply(entry, this.#visible);
    for (const { id } of entry.writes) this.#unreadable.delete(id);
  }

  /**
   * As a full disk does: the log ends in half a batch, and LevelDB goes on behind it. Readers see
   * what is written from now on, fsyncs succeed, and the next opening finds none of it.
   */
  tear(): void {
    this.#torn = true;
  }

  /** The block that holds the key's newest value cannot be read any more. */
  breakBlock(key: Uint8Array): void {
    this.#unreadable.add(latin1Text(key));
  }

  /**
   * Puts the log file that holds the entry on the disk: the one that was current when the entry was
   * appended, because LevelDB goes on in a new file only between two writes.
   */
  sync(entry: LogEntry): void {
    this.#everSynced = true;
    const file = this.#segments.find(({ entries }) => entries.includes(entry));
    if (file !== undefined) file.synced = file.entries.length;
    this.#fold();
  }

  /** Changes a value wherever it lies as it is now, in logs and tables: nothing is written anew. */
  rot(key: Uint8Array, rotten: Uint8Array): void {
    const id = latin1Text(key);
    const sound = this.#visible.get(id);
    if (sound === undefined) return;
    const isSame = (value: Uint8Array | undefined): boolean =>
      value !== undefined && equalBytes(value, sound);
    if (isSame(this.#durable.get(id))) this.#durable.set(id, rotten);
    for (const { entries } of this.#segments) {
      for (const { writes } of entries) {
        for (const write of writes)
          if (write.id === id && isSame(write.value)) write.value = rotten;
      }
    }
    this.#visible.set(id, rotten);
  }

  /** Goes on in a new log file. The one before the current one has become a table by then, synced. */
  rotate(): void {
    for (const older of this.#segments.slice(0, -1)) older.synced = older.entries.length;
    this.#segments.push({ entries: [], synced: 0 });
    this.#fold();
  }

  /** Of each log file only `keep(unsynced)` of the entries behind its last fsync remain. */
  losePower(keep: (unsynced: number) => number): void {
    for (const { entries, synced } of this.#segments) {
      entries.length = synced + keep(entries.length - synced);
    }
    this.recover();
  }

  /** As LevelDB opens: what the logs hold goes into tables, synced. */
  recover(): void {
    this.#torn = false;
    for (const segment of this.#segments) segment.synced = segment.entries.length;
    if (this.#segments.some(({ entries }) => entries.length > 0)) this.#everSynced = true;
    this.#fold();
    this.#segments = [{ entries: [], synced: 0 }];
    this.#visible = new Map(this.#durable);
  }

  /** Moves out of the logs what is certain and has nothing uncertain before it. */
  #fold(): void {
    for (;;) {
      const oldest = this.#segments[0];
      if (oldest === undefined) return;
      for (const entry of oldest.entries.splice(0, oldest.synced)) apply(entry, this.#durable);
      oldest.synced = 0;
      if (oldest.entries.length > 0 || this.#segments.length === 1) return;
      this.#segments.shift();
    }
  }
}

function apply({ writes }: LogEntry, map: Map<string, Uint8Array>): void {
  for (const { id, value } of writes) {
    if (value === undefined) map.delete(id);
    else map.set(id, value);
  }
}

function sizeOf(id: string, value: Uint8Array | undefined): number {
  return id.length + (value?.byteLength ?? 0);
}
