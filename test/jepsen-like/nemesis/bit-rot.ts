import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SeededRng } from "../../../src/testing/seeded-rng.ts";

interface Flip {
  readonly byte: number;
  readonly bit: number;
}

/** Flips one bit in each table of a database that nobody has open. @returns where, for a report. */
export function flipOneBitInEachTable(database: string, rng: SeededRng): readonly string[] {
  return flipInTables(database, ({ byteLength }) => ({
    byte: rng.below(byteLength),
    bit: rng.below(8),
  }));
}

/**
 * Flips a bit of a key in the middle of each table, so that it stands before smaller ones. LevelDB
 * reads on as if nothing were wrong and aborts the process when it compacts the table.
 *
 * @param name how keys begin; a table spells some of them out, with the bucket before them.
 */
export function putKeysOutOfOrder(database: string, name: string): readonly string[] {
  const before = Buffer.from(`\0${name}`);
  return flipInTables(database, (table) => {
    const at = table.indexOf(before, table.byteLength / 2);
    if (at === -1) throw new Error(`a table of ${table.byteLength} bytes spells out no key`);
    return { byte: at + 1, bit: 7 };
  });
}

function flipInTables(database: string, choose: (table: Buffer) => Flip): readonly string[] {
  const tables = readdirSync(database).filter((name) => name.endsWith(".ldb"));
  return tables.map((name) => {
    const path = join(database, name);
    const bytes = readFileSync(path);
    const { byte, bit } = choose(bytes);
    bytes[byte] = (bytes[byte] ?? 0) ^ (1 << bit);
    writeFileSync(path, bytes);
    return `${name}: bit ${bit} of byte ${byte} of ${bytes.byteLength}`;
  });
}
