import { SeededRng } from "../../../src/testing/seeded-rng.ts";

/**
 * Every byte of a value follows from its version, so none can be wrong unnoticed, and it does not
 * compress, so that a table of LevelDB holds as many bytes as were written.
 */
export function valueOf(version: string, bytes: number): Buffer {
  const head = Buffer.from(`${version}\n`);
  return Buffer.concat([head, new SeededRng(version).bytes(Math.max(0, bytes - head.length))]);
}

/** @returns what no client has written for bytes that no client has written. */
export function versionOf(value: Uint8Array): string {
  const bytes = Buffer.from(value);
  const version = bytes.subarray(0, Math.max(0, bytes.indexOf("\n"))).toString("latin1");
  const whole = version !== "" && valueOf(version, bytes.byteLength).equals(bytes);
  return whole ? version : `damaged: ${bytes.toString("base64")}`;
}
