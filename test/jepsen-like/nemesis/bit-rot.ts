import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SeededRng } from "../../../src/testing/seeded-rng.ts";

/** Flips one bit in each table of a database that nobody has open. @returns where, for a report. */
export function flipOneBitInEachTable(database: string, rng: SeededRng): readonly string[] {
  const tables = readdirSync(database).filter((name) => name.endsWith(".ldb"));
  return tables.map((name) => {
    const path = join(database, name);
    const bytes = readFileSync(path);
    const at = rng.below(bytes.byteLength);
    const bit = rng.below(8);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
    writeFileSync(path, bytes);
    return `${name}: bit ${bit} of byte ${at} of ${bytes.byteLength}`;
  });
}
