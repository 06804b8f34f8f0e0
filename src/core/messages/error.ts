import { utf8, utf8Text } from "../bytes.ts";
import { DecodeError } from "../codec.ts";
import { isErrorCode, KvError } from "../errors.ts";
import type { ErrorData } from "../errors.ts";

/** An error that a node hands on for another one. */
export function errorBytes({ code, message, data }: KvError): Uint8Array {
  return utf8(JSON.stringify({ code, detail: message, data }));
}

/** @throws DecodeError */
export function parseError(bytes: Uint8Array): KvError {
  const parsed = parseJson(bytes);
  if (typeof parsed !== "object" || parsed === null) throw new DecodeError("no error");
  const fields = new Map<string, unknown>(Object.entries(parsed));
  const [code, detail, data] = [fields.get("code"), fields.get("detail"), fields.get("data")];
  if (typeof code !== "string" || !isErrorCode(code) || typeof detail !== "string") {
    throw new DecodeError("no error");
  }
  return new KvError(code, detail, (data ?? {}) as ErrorData);
}

/** @throws DecodeError */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8Text(bytes) ?? "");
  } catch {
    throw new DecodeError("no JSON");
  }
}
