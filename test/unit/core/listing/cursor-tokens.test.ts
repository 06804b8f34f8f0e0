import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  base64url,
  concatBytes,
  EMPTY_BYTES,
  fromBase64url,
  utf8,
} from "../../../../src/core/bytes.ts";
import { KvError } from "../../../../src/core/errors.ts";
import { KEY_BYTES_MAX, parseBucketName, parseKey } from "../../../../src/core/ids.ts";
import { CursorTokens } from "../../../../src/core/listing/cursor-tokens.ts";
import { bitsOf, bucketName, key, withBitFlipped } from "../support/arbitraries.ts";
import { forAll } from "../support/for-all.ts";

const LISTING = { bucket: parseBucketName("b"), prefix: utf8("user/") };
const KEY = parseKey(utf8("user/7"));
const cursors = new CursorTokens(["secret"]);

function codeOf(parse: () => unknown): string | undefined {
  try {
    parse();
  } catch (error) {
    if (error instanceof KvError) return error.code;
    throw error;
  }
  return undefined;
}

describe("the cursor of a listing", () => {
  test("is read back by any node of the cluster for its own bucket and prefix", () => {
    forAll([bucketName, key, fc.nat(30)], (bucket, some, length) => {
      const listing = { bucket, prefix: some.subarray(0, length) };
      const token = cursors.tokenOf(listing, some);
      const found = new CursorTokens(["new", "secret"]).parse(listing, token);
      expect(Buffer.from(found)).toEqual(Buffer.from(some));
    });
  });

  test("is refused for another bucket, a shorter or longer prefix, and another cluster", () => {
    const token = cursors.tokenOf(LISTING, KEY);
    const rest = cursors.tokenOf({ ...LISTING, prefix: EMPTY_BYTES }, KEY);
    const others = [
      { ...LISTING, bucket: parseBucketName("c") },
      { ...LISTING, prefix: utf8("user") },
      { ...LISTING, prefix: utf8("user/7") },
      { ...LISTING, prefix: utf8("uses/") },
      { ...LISTING, prefix: new Uint8Array(KEY_BYTES_MAX + 1) },
    ];
    for (const other of others)
      expect(codeOf(() => cursors.parse(other, token))).toBe("cursor-invalid");
    expect(codeOf(() => cursors.parse(LISTING, rest))).toBe("cursor-invalid");
    expect(codeOf(() => new CursorTokens(["s"]).parse(LISTING, token))).toBe("cursor-invalid");
  });

  test("with any bit changed is refused, and so is what is none", () => {
    const bytes = fromBase64url(cursors.tokenOf(LISTING, KEY)) ?? EMPTY_BYTES;
    for (const bit of bitsOf(bytes)) {
      const forged = base64url(withBitFlipped(bytes, bit));
      expect(codeOf(() => cursors.parse(LISTING, forged))).toBe("cursor-invalid");
    }
    const longer = base64url(concatBytes([bytes, Uint8Array.of(0)]));
    for (const none of ["", "user/7", "=", longer, base64url(bytes.subarray(0, 20))]) {
      expect(codeOf(() => cursors.parse(LISTING, none))).toBe("cursor-invalid");
    }
  });

  test("and its prefix fit a request target, whatever the key", () => {
    const longest = parseKey(new Uint8Array(KEY_BYTES_MAX).fill(0xff));
    for (const length of [0, 1, 512, KEY_BYTES_MAX]) {
      const prefix = longest.subarray(0, length);
      const token = cursors.tokenOf({ ...LISTING, prefix }, longest);
      expect(token.length + 3 * length).toBeLessThan(3_300);
    }
  });
});
