import { Level } from "level";
import { parseRecordKey } from "../../../src/core/record-key.ts";
import { decodeRecord } from "../../../src/core/version/record.ts";

/** By record key in hex: the record's bytes in hex, or `damaged`. */
type StoredRecords = ReadonlyMap<string, string>;

/** What the database of a node holds that does not run. */
export async function storedRecords(database: string): Promise<StoredRecords> {
  const records = new Map<string, string>();
  const level = new Level<Uint8Array, Uint8Array>(database, {
    keyEncoding: "buffer",
    valueEncoding: "buffer",
  });
  for await (const [address, bytes] of level.iterator()) {
    const key = parseRecordKey(address);
    if (key === undefined) continue;
    const damaged = decodeRecord(key, bytes).kind === "damaged";
    records.set(hex(address), damaged ? "damaged" : hex(bytes));
  }
  await level.close();
  return records;
}

/** What `one` holds and `other` does not hold in the same bytes, as sentences. */
export function missingRecords(one: StoredRecords, other: StoredRecords): readonly string[] {
  return [...one].flatMap(([key, bytes]) => {
    const found = other.get(key);
    if (found === bytes) return [];
    return [`${key} is ${found === "damaged" ? found : found === undefined ? "missing" : "other"}`];
  });
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
