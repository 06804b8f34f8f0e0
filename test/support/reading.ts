import type { Reading } from "../../src/client/client.ts";

/** The value of a key that keeps a single version; undefined when there is none. */
export function textOf(reading: Reading): string | undefined {
  if (reading.kind === "siblings") throw new Error("the key has siblings");
  return reading.kind === "absent" ? undefined : Buffer.from(reading.value).toString();
}
