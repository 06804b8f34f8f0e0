import { Level } from "level";
import { parseRecordKey } from "../../../src/core/record-key.ts";
import { decodeRecord } from "../../../src/core/version/record.ts";

export interface StoredRecords {
  /** By record key in hex: the record's bytes in hex, or `damaged`. */
  readonly records: ReadonlyMap<string, string>;
  /** With what reading ended before the end of the database. */
  readonly error: string | undefined;
}

/** What the database of a node holds that does not run. */
export async function storedRecords(database: string): Promise<StoredRecords> {
  const records = new Map<string, string>();
  const level = new Level<Uint8Array, Uint8Array>(database, {
    keyEncoding: "buffer",
    valueEncoding: "buffer",
  });
  let error: string | undefined;
  try {
    for await (const [address, bytes] of level.iterator()) {
      const key = parseRecordKey(address);
      if (key === undefined) continue;
      const damaged = decodeRecord(key, bytes).kind === "damaged";
      records.set(hex(address), damaged ? "damaged" : hex(bytes));
    }
  } catch (cause) {
    error = String(cause);
  }
  await level.close();
  return { records, error };
}

/** What `found` lacks or has beyond `whole`, as sentences. */
export function differences(whole: StoredRecords, found: StoredRecords): readonly string[] {
  if (found.error !== undefined) return [`the database cannot be read to its end: ${found.error}`];
  const keys = new Set([...whole.records.keys(), ...found.records.keys()]);
  return [...keys].flatMap((key) => {
    const wanted = whole.records.get(key);
    const bytes = found.records.get(key);
    if (bytes === wanted) return [];
    if (wanted === undefined) return [`${key} is held by one alone`];
    return [`${key} is ${bytes === "damaged" ? bytes : bytes === undefined ? "missing" : "other"}`];
  });
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
