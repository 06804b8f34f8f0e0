/** The one place outside the codecs that knows Buffer: conversions where native speed matters. */

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export const EMPTY_BYTES: Uint8Array = new Uint8Array(0);

function view(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Uninitialised, perhaps a slice of a shared pool: whoever asks fills all of it. */
export function allocateBytes(length: number): Uint8Array {
  return Buffer.allocUnsafe(length);
}

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** @returns undefined when the bytes are not UTF-8. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** One character a byte (ISO 8859-1): the form in which bytes serve as a Map key. */
export function latin1Text(bytes: Uint8Array): string {
  return view(bytes).toString("latin1");
}

export function latin1(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}

export function hex(bytes: Uint8Array): string {
  return view(bytes).toString("hex");
}

export function base64url(bytes: Uint8Array): string {
  return view(bytes).toString("base64url");
}

/** @returns undefined for anything that is not canonical, unpadded base64url. */
export function fromBase64url(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : undefined;
}

export function base64(bytes: Uint8Array): string {
  return view(bytes).toString("base64");
}

/** @returns undefined for anything that is not canonical, padded base64. */
export function fromBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : undefined;
}

/** Byte order, which is LevelDB's order. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && Buffer.compare(a, b) === 0;
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

export function copyBytes(bytes: Uint8Array): Uint8Array {
  return Buffer.from(bytes);
}
