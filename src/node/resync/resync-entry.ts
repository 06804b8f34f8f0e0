import { KvError } from "../../core/errors.ts";
import type { StorageWrite } from "../../ports/storage.ts";
import { metaKey, seal, unseal } from "../replica/sealed.ts";

/**
 * Why partitions are missing. `new`: the directory was made, and it is open whether the node ever had
 * another one. `lost`: a peer remembers more of the node.
 */
export type ResyncCause = "new" | "lost";

/** What a directory knows of its own gaps, stored in it. */
export interface ResyncEntry {
  readonly cause: ResyncCause | undefined;
  readonly missing: readonly number[];
  /** Ids of the directories that this one succeeds; peers may go on remembering them for long. */
  readonly settled: readonly string[];
}

export const RESYNC_KEY = metaKey("resync");
export const NOTHING_MISSING: ResyncEntry = { cause: undefined, missing: [], settled: [] };

const CAUSES: readonly unknown[] = ["new", "lost", undefined];

export function resyncWrite(entry: ResyncEntry): StorageWrite {
  return { key: RESYNC_KEY, value: seal(RESYNC_KEY, entry) };
}

/** @throws KvError `directory-damaged`: gaps that are forgotten would pass for absence. */
export function parseResyncEntry(bytes: Uint8Array): ResyncEntry {
  const value = unseal(RESYNC_KEY, bytes);
  if (!isResyncEntry(value)) {
    throw new KvError("directory-damaged", "the directory's resynchronisation entry is damaged");
  }
  return value;
}

function isResyncEntry(value: unknown): value is ResyncEntry {
  if (typeof value !== "object" || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  return (
    CAUSES.includes(fields.get("cause")) &&
    isArrayOf(fields.get("missing"), (item) => Number.isSafeInteger(item)) &&
    isArrayOf(fields.get("settled"), (item) => typeof item === "string")
  );
}

function isArrayOf(value: unknown, isItem: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isItem);
}
