import { concatBytes, utf8, utf8Text } from "../../core/bytes.ts";
import { ByteReader, ByteWriter } from "../../core/codec.ts";
import { crc32 } from "../../core/hash.ts";

const CHECKSUM_BYTES = 4;
const KIND_META = "m";

/** Address of an entry of the node's own; no record key begins so. */
export function metaKey(name: string): Uint8Array {
  return utf8(`${KIND_META}${name}`);
}

/** JSON with a checksum over key and text, for the few entries that a node keeps about itself. */
export function seal(key: Uint8Array, value: unknown): Uint8Array {
  const text = utf8(JSON.stringify(value));
  const checksum = new ByteWriter(CHECKSUM_BYTES);
  checksum.u32(crc32(text, crc32(key)));
  return concatBytes([text, checksum.written()]);
}

/** @returns undefined when the bytes are not what `seal` wrote under this key. */
export function unseal(key: Uint8Array, bytes: Uint8Array): unknown {
  const end = bytes.byteLength - CHECKSUM_BYTES;
  if (end < 0) return undefined;
  const text = bytes.subarray(0, end);
  if (crc32(text, crc32(key)) !== new ByteReader(bytes, end).u32()) return undefined;
  const json = utf8Text(text);
  return json === undefined ? undefined : JSON.parse(json);
}
