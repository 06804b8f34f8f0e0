import { utf8 } from "../../core/bytes.ts";
import { NO_STAMP } from "../../core/hlc.ts";
import type { Stamp } from "../../core/hlc.ts";
import { PARTITION_COUNT } from "../../core/layout/partition.ts";
import { parseRecordKey, recordKeyPrefix } from "../../core/record-key.ts";
import type { RecordKey } from "../../core/record-key.ts";
import { mergeModel } from "../../core/version/merge.ts";
import type { KvRecord } from "../../core/version/record.ts";
import { decodeStored } from "../../core/version/unconfirmed.ts";
import type { ScanRange, Storage, StoragePage, StorageWrite } from "../../ports/storage.ts";
import { Directory } from "../replica/directory.ts";
import { metaKey, unseal } from "../replica/sealed.ts";
import { isDirectoryState } from "./directory-state.ts";

const PAGE = { entriesMax: 1_000, bytesMax: 4 * 1024 * 1024 };
const PEERS = { after: metaKey("peer/"), before: metaKey("peer0") };
const RECORDS = { after: utf8("r"), before: recordKeyPrefix(PARTITION_COUNT) };

export interface RescueCount {
  kept: number;
  /** Entries whose own checksum or format is wrong. */
  damaged: number;
  /** Pages in which LevelDB passed over something: nobody knows how much. */
  gaps: number;
}

/**
 * Copies what is sound of a damaged database into an empty one, page by page, synced: the records, what
 * is remembered of peers, and the clock's lease. The identity, the position and the state of a copy
 * are left behind on purpose: the next start makes a new directory of it, with a new actor, which has
 * to be resynchronised like any other that may lack what its node acknowledged.
 */
export async function rescue({ from, to }: { from: Storage; to: Storage }): Promise<RescueCount> {
  const count = { kept: 0, damaged: 0, gaps: 0 };
  const leases = [await Directory.leaseOf(from), await Directory.leaseOf(to)];
  const lease = Math.max(NO_STAMP, ...leases.filter((it) => it !== undefined)) as Stamp;
  // Synced, the very first write of a database above all, or it may not open again.
  await to.batch(lease === NO_STAMP ? [] : [Directory.leaseWrite(lease)], { sync: true });
  await copySound(
    { from, to, range: PEERS, isSound: isPeerEntry },
    { kept: 0, damaged: 0, gaps: 0 },
  );
  await copySound({ from, to, range: RECORDS, isSound: isRecord }, count);
  return count;
}

interface Copy {
  readonly from: Storage;
  readonly to: Storage;
  readonly range: ScanRange;
  readonly isSound: (key: Uint8Array, value: Uint8Array) => boolean;
}

async function copySound({ from, to, range, isSound }: Copy, count: RescueCount): Promise<void> {
  let { after } = range;
  // Ends: keys only grow, and a page without entries is the last.
  for (;;) {
    const page: StoragePage = await from.scan({ after, before: range.before }, PAGE);
    const sound = page.entries.filter(({ key, value }) => isSound(key, value));
    const writes = await mergedWith(to, sound);
    if (writes.length > 0) await to.batch(writes, { sync: true });
    count.kept += sound.length;
    count.damaged += page.entries.length - sound.length;
    if (page.damaged) count.gaps += 1;
    const last = page.entries.at(-1)?.key;
    if (page.ended || last === undefined) return;
    after = last;
  }
}

/**
 * A database that is salvaged in parts brings a key more than once. Whether one of them was
 * unconfirmed no longer matters: the whole directory has to be resynchronised.
 */
async function mergedWith(
  to: Storage,
  sound: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[],
): Promise<readonly StorageWrite[]> {
  const there = await to.getMany(sound.map(({ key }) => key));
  return sound.map(({ key, value }, i) => {
    const before = there[i];
    const address = parseRecordKey(key);
    if (before === undefined || address === undefined) return { key, value };
    const [one, other] = [recordIn(address, before), recordIn(address, value)];
    if (one === undefined || other === undefined) return { key, value };
    return { key, value: mergeModel(one.mode).merge(address, one, other).bytes };
  });
}

function recordIn(key: RecordKey, value: Uint8Array): KvRecord | undefined {
  const stored = decodeStored(key, value);
  if (stored.kind === "damaged") return undefined;
  return stored.kind === "record" ? stored : stored.record;
}

function isRecord(key: Uint8Array, value: Uint8Array): boolean {
  const address = parseRecordKey(key);
  return address !== undefined && decodeStored(address, value).kind !== "damaged";
}

function isPeerEntry(key: Uint8Array, value: Uint8Array): boolean {
  return isDirectoryState(unseal(key, value));
}
