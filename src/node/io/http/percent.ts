import { EMPTY_BYTES, latin1 } from "../../../core/bytes.ts";

/**
 * Undoes percent-encoding byte by byte; what the bytes mean is the client's affair.
 * @returns undefined for a `%` without two digits
 */
export function percentBytes(text: string): Uint8Array | undefined {
  if (!text.includes("%")) return latin1(text);
  const decoded = new Uint8Array(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    let byte = text.charCodeAt(at);
    if (byte === 0x25) {
      const digits = text.slice(at + 1, at + 3);
      if (!/^[0-9a-fA-F]{2}$/.test(digits)) return undefined;
      byte = Number.parseInt(digits, 16);
      at += 2;
    }
    decoded[length] = byte;
    length += 1;
  }
  return length === 0 ? EMPTY_BYTES : decoded.slice(0, length);
}
