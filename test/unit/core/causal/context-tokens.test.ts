import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { base64url, fromBase64url, utf8 } from "../../../../src/core/bytes.ts";
import {
  decodeContext,
  encodeContext,
  joinContexts,
  NOTHING_SEEN,
} from "../../../../src/core/causal/causal-context.ts";
import type { CausalContext } from "../../../../src/core/causal/causal-context.ts";
import { CONTEXT_ACTORS_MAX, ContextTokens } from "../../../../src/core/causal/context-tokens.ts";
import type { Stamp } from "../../../../src/core/hlc.ts";
import { parseActorId, parseBucketName, parseKey } from "../../../../src/core/ids.ts";
import type { ActorId } from "../../../../src/core/ids.ts";
import { recordKey } from "../../../../src/core/record-key.ts";
import { bitsOf, stamp, withBitFlipped } from "../support/arbitraries.ts";
import { forAll } from "../support/for-all.ts";

const BUCKET = parseBucketName("sets");
const KEY = recordKey(BUCKET, parseKey(utf8("k")));
const tokens = new ContextTokens(["secret"]);

function actorOf(number: number): ActorId {
  return parseActorId(number.toString(16).padStart(24, "0"));
}

const context: fc.Arbitrary<CausalContext> = fc
  .array(fc.tuple(fc.nat(5).map(actorOf), stamp), { maxLength: 5 })
  .map((entries) => new Map(entries));

function sorted(of: CausalContext): readonly (readonly [ActorId, Stamp])[] {
  return [...of].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

describe("a causal context", () => {
  test("survives its encoding, and what two have seen is the later of each actor", () => {
    forAll([context, context], (a, b) => {
      expect(sorted(decodeContext(encodeContext(a)))).toEqual(sorted(a));
      const joined = joinContexts(a, b);
      for (const actor of [...a.keys(), ...b.keys()]) {
        expect(joined.get(actor)).toBe(Math.max(a.get(actor) ?? 0, b.get(actor) ?? 0));
      }
      expect(joined.size).toBe(new Set([...a.keys(), ...b.keys()]).size);
    });
  });
});

describe("the token of a causal context", () => {
  test("is read back for its own key by any node of the cluster", () => {
    forAll([context], (of) => {
      const token = tokens.tokenOf(KEY, of);
      expect(sorted(new ContextTokens(["secret"]).parse(KEY, token))).toEqual(sorted(of));
    });
  });

  test("is refused for another key, another bucket and another cluster", () => {
    const token = tokens.tokenOf(KEY, new Map([[actorOf(1), 5 as Stamp]]));
    const otherKey = recordKey(BUCKET, parseKey(utf8("k2")));
    const otherBucket = recordKey(parseBucketName("set"), parseKey(utf8("sk")));
    for (const other of [otherKey, otherBucket]) {
      expect(() => tokens.parse(other, token)).toThrow("another key");
    }
    expect(() => new ContextTokens(["other"]).parse(KEY, token)).toThrow("not by this cluster");
  });

  test("is accepted under the former secret during a rotation, and signed under the new one", () => {
    const seen = new Map([[actorOf(1), 5 as Stamp]]);
    const rotating = new ContextTokens(["new", "secret"]);
    expect(sorted(rotating.parse(KEY, tokens.tokenOf(KEY, seen)))).toEqual(sorted(seen));
    const signed = rotating.tokenOf(KEY, seen);
    expect(sorted(new ContextTokens(["new"]).parse(KEY, signed))).toEqual(sorted(seen));
  });

  test("with any bit flipped is refused", () => {
    const token = fromBase64url(tokens.tokenOf(KEY, new Map([[actorOf(1), 5 as Stamp]])));
    if (token === undefined) throw new Error("a token is base64url");
    for (const bit of bitsOf(token)) {
      expect(() => tokens.parse(KEY, base64url(withBitFlipped(token, bit)))).toThrow("KV-Context");
    }
  });

  test.each(["", "A", "AQ", "not base64url!", "a".repeat(4_097)])("'%s' is refused", (text) => {
    expect(() => tokens.parse(KEY, text)).toThrow("KV-Context is not one of this key");
  });

  test("of as many actors as are allowed stays within 4 KiB", () => {
    const all = Array.from({ length: CONTEXT_ACTORS_MAX }, (_, i) => [actorOf(i + 1), 1 as Stamp]);
    const token = tokens.tokenOf(KEY, new Map(all as [ActorId, Stamp][]));
    expect(token.length).toBeLessThanOrEqual(4 * 1_024);
    expect(tokens.parse(KEY, token).size).toBe(CONTEXT_ACTORS_MAX);
    expect(tokens.parse(KEY, tokens.tokenOf(KEY, NOTHING_SEEN)).size).toBe(0);
  });
});
