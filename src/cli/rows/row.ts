import { DEFAULT_BUCKET } from "../../core/bucket.ts";
import { utf8, utf8Text } from "../../core/bytes.ts";
import { CliError, EXIT } from "../exit-code.ts";
import { LINE_BYTES_MAX } from "./lines.ts";
import type { Line } from "./lines.ts";

/** A key as a line of a file names it. */
export interface KeyRow {
  /** undefined: the one of the command line. */
  readonly bucket: string | undefined;
  readonly key: Uint8Array;
}

/** A value as a line of a file holds it. */
export interface Row extends KeyRow {
  readonly value: Uint8Array;
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
}

/** What nodes give to a value that was stored without a content type. */
const UNTYPED = "application/octet-stream";
const FIELDS = new Set([
  "bucket",
  "key",
  "key64",
  "value",
  "value64",
  "contentType",
  "contentEncoding",
]);

/** `{"bucket"?, "key" | "key64", "value" | "value64", "contentType"?, "contentEncoding"?}` */
export function parseRow(line: Line): Row {
  const fields = fieldsOf(line);
  return {
    ...keyRowOf(fields),
    value: bytesOf(fields, "value", "value64"),
    contentType: textOf(fields, "contentType"),
    contentEncoding: textOf(fields, "contentEncoding"),
  };
}

/** Takes the rows of an import too: their values are not looked at. */
export function parseKeyRow(line: Line): KeyRow {
  return keyRowOf(fieldsOf(line));
}

/**
 * The line that {@link parseRow} reads back. What goes without saying is left out, so that an
 * export of what a plain file imported is that file again.
 */
export function rowText({ bucket, key, value, contentType, contentEncoding }: Row): string {
  const [keyText, valueText] = [utf8Text(key), utf8Text(value)];
  return JSON.stringify({
    bucket: bucket === DEFAULT_BUCKET ? undefined : bucket,
    key: keyText,
    key64: keyText === undefined ? Buffer.from(key).toString("base64url") : undefined,
    value: valueText,
    value64: valueText === undefined ? Buffer.from(value).toString("base64") : undefined,
    contentType: contentType === UNTYPED ? undefined : contentType,
    contentEncoding,
  });
}

function keyRowOf(fields: ReadonlyMap<string, unknown>): KeyRow {
  return { bucket: textOf(fields, "bucket"), key: bytesOf(fields, "key", "key64") };
}

function fieldsOf({ text }: Line): ReadonlyMap<string, unknown> {
  if (text === undefined) {
    throw malformed(`the line is not UTF-8, or longer than ${LINE_BYTES_MAX} bytes`);
  }
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch {
    throw malformed("the line is not JSON");
  }
  if (typeof row !== "object" || row === null || Array.isArray(row)) {
    throw malformed("the line is not a JSON object");
  }
  const fields = new Map<string, unknown>(Object.entries(row));
  for (const name of fields.keys()) {
    // A field that is read over would be a promise that is not kept.
    if (!FIELDS.has(name)) throw malformed(`there is no field '${name}'`);
  }
  return fields;
}

function bytesOf(fields: ReadonlyMap<string, unknown>, plain: string, encoded: string): Uint8Array {
  const [text, base64] = [textOf(fields, plain), textOf(fields, encoded)];
  if (text !== undefined && base64 !== undefined) {
    throw malformed(`'${plain}' and '${encoded}' are both given`);
  }
  if (text !== undefined) {
    if (/\p{Surrogate}/u.test(text)) throw malformed(`'${plain}' is not valid Unicode`);
    return utf8(text);
  }
  if (base64 === undefined) throw malformed(`'${plain}' or '${encoded}' is missing`);
  // Both alphabets, padded or not: other tools write either.
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(base64)) throw malformed(`'${encoded}' is not base64`);
  return Buffer.from(base64, "base64");
}

function textOf(fields: ReadonlyMap<string, unknown>, name: string): string | undefined {
  const value = fields.get(name);
  if (value === undefined || typeof value === "string") return value;
  throw malformed(`'${name}' is not text (a JSON value goes in as a quoted string)`);
}

function malformed(detail: string): CliError {
  return new CliError(EXIT.usage, detail);
}
