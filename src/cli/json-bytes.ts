import { base64url, utf8Text } from "../core/bytes.ts";

/** `value` as text where it is UTF-8, else as base64; `encoding` tells which. */
export function valueFields(value: Uint8Array): { value: string; encoding: "utf8" | "base64" } {
  const text = utf8Text(value);
  return text !== undefined
    ? { value: text, encoding: "utf8" }
    : { value: Buffer.from(value).toString("base64"), encoding: "base64" };
}

export function keyFields(key: Uint8Array): { key: string; keyEncoding: "utf8" | "base64url" } {
  const { value, encoding } = valueFields(key);
  return encoding === "utf8"
    ? { key: value, keyEncoding: "utf8" }
    : { key: base64url(key), keyEncoding: "base64url" };
}

/** How messages name a key. */
export function keyName(key: Uint8Array): string {
  const fields = keyFields(key);
  return fields.keyEncoding === "utf8" ? `'${fields.key}'` : `${fields.key} (base64url)`;
}
