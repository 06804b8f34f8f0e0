import { Level } from "level";
import { parseRecordKey } from "../../../src/core/record-key.ts";
import { decodeRecord } from "../../../src/core/version/record.ts";

interface StoredRecord {
  /** In hex. */
  readonly bytes: string;
  /** Of its newest version; undefined if the record is damaged. */
  readonly stamp: number | undefined;
}

export interface StoredRecords {
  /** By record key in hex. */
  readonly records: ReadonlyMap<string, StoredRecord>;
  /** With what reading ended before the end of the database. */
  readonly error: string | undefined;
}

/** What the database of a node holds that does not run. */
export async function storedRecords(database: string): Promise<StoredRecords> {
  const records = new Map<string, StoredRecord>();
  const level = new Level<Uint8Array, Uint8Array>(database, {
    keyEncoding: "buffer",
    valueEncoding: "buffer",
  });
  let error: string | undefined;
  try {
    for await (const [address, bytes] of level.iterator()) {
      const key = parseRecordKey(address);
      if (key === undefined) continue;
      const record = decodeRecord(key, bytes);
      const stamp = record.kind === "damaged" ? undefined : record.stamp;
      records.set(hex(address), { bytes: hex(bytes), stamp });
    }
  } catch (cause) {
    error = String(cause);
  }
  await level.close();
  return { records, error };
}

/** What `found` lacks or has beyond `whole`, as sentences. */
export function differences(whole: StoredRecords, found: StoredRecords): readonly string[] {
  return compare(whole, found, (wanted, record) => wanted?.bytes === record?.bytes);
}

/** What `whole` holds and `found` holds not at all or in an older version, as sentences. */
export function losses(whole: StoredRecords, found: StoredRecords): readonly string[] {
  return compare(whole, found, (wanted, record) => (record?.stamp ?? 0) >= (wanted?.stamp ?? 0));
}

function compare(
  whole: StoredRecords,
  found: StoredRecords,
  isRight: (wanted: StoredRecord | undefined, record: StoredRecord | undefined) => boolean,
): readonly string[] {
  if (found.error !== undefined) return [`the database cannot be read to its end: ${found.error}`];
  const keys = new Set([...whole.records.keys(), ...found.records.keys()]);
  return [...keys].flatMap((key) => {
    const record = found.records.get(key);
    if (isRight(whole.records.get(key), record)) return [];
    if (record === undefined) return [`${key} is missing`];
    return [`${key} is ${record.stamp === undefined ? "damaged" : "another"}`];
  });
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
