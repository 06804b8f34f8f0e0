import type { Level } from "level";
import type { ScanBounds, ScanRange, StoragePage } from "../../ports/storage.ts";

const KEYS_AT_ONCE = 1_000;

type Database = Level<Uint8Array, Uint8Array>;

/**
 * LevelDB passes over a block that it cannot read and says so only to an iterator that reaches its
 * end, which loses what that last step had read. So a page that ends early is walked again, keys
 * only, to its end, and one that failed is read again entry by entry.
 */
export async function scanLevel(
  db: Database,
  { after, before }: ScanRange,
  bounds: ScanBounds,
): Promise<StoragePage> {
  const range = { gt: after, lt: before };
  try {
    const page = await pageOf(db, range, bounds, "together");
    const last = page.entries.at(-1)?.key;
    if (page.ended || last === undefined) return page;
    return { ...page, damaged: !(await isSound(db, { gt: after, lte: last })) };
  } catch (error) {
    if (!isCorruption(error)) throw error;
    return pageOf(db, range, bounds, "singly");
  }
}

/** Of entries taken one by one, none is lost to an error at the end. */
async function pageOf(
  db: Database,
  range: { readonly gt: Uint8Array; readonly lt: Uint8Array },
  { entriesMax, bytesMax }: ScanBounds,
  taking: "together" | "singly",
): Promise<StoragePage> {
  const entries: { key: Uint8Array; value: Uint8Array }[] = [];
  const iterator = db.iterator({ ...range, highWaterMarkBytes: bytesMax });
  const step = taking === "singly" ? 1 : entriesMax;
  let bytes = 0;
  try {
    while (entries.length < entriesMax && bytes <= bytesMax) {
      const taken = await iterator.nextv(step);
      if (taken.length === 0) return { entries, ended: true, damaged: false };
      for (const [key, value] of taken) {
        entries.push({ key, value });
        bytes += key.byteLength + value.byteLength;
      }
    }
    return { entries, ended: false, damaged: taking === "singly" };
  } catch (error) {
    if (taking === "together" || !isCorruption(error)) throw error;
    return { entries, ended: true, damaged: true };
  } finally {
    await iterator.close();
  }
}

async function isSound(
  db: Database,
  range: { readonly gt: Uint8Array; readonly lte: Uint8Array },
): Promise<boolean> {
  const iterator = db.iterator({ ...range, values: false });
  try {
    while ((await iterator.nextv(KEYS_AT_ONCE)).length > 0);
    return true;
  } catch (error) {
    if (isCorruption(error)) return false;
    throw error;
  } finally {
    await iterator.close();
  }
}

function isCorruption(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "LEVEL_CORRUPTION";
}
