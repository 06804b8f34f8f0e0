import { createHmac, hash as cryptoHash, timingSafeEqual } from "node:crypto";
import { crc32 as zlibCrc32 } from "node:zlib";

/** CRC-32 (IEEE 802.3, as in zlib) of `bytes`, continuing from `seed`. Detects every single bit flip. */
export function crc32(bytes: Uint8Array, seed = 0): number {
  // zlib forgets the seed of some empty views.
  return bytes.byteLength === 0 ? seed : zlibCrc32(bytes, seed);
}

/**
 * 32-bit placement hash: CRC-32 followed by MurmurHash3's finaliser, a bijection that spreads the
 * linear CRC over all bits. Where a key lives depends on it, so it never changes: test vectors hold it.
 */
export function hash32(bytes: Uint8Array, seed = 0): number {
  let h = crc32(bytes, seed);
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return h >>> 0;
}

/** The first 64 bits of SHA-256, as 16 hex digits: texts that differ have different ones, in practice. */
export function hash64(text: string): string {
  return cryptoHash("sha256", text, "hex").slice(0, 16);
}

/** HMAC-SHA-256: only who knows the secret can make it. */
export function hmac(secret: string, parts: readonly Uint8Array[]): Uint8Array {
  const mac = createHmac("sha256", secret);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

/** Of two of one length; takes equally long wherever they differ. */
export function equalMacs(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && timingSafeEqual(a, b);
}
