import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DOUBTS, REFUSALS } from "../../../../src/core/answer.ts";
import type { Answer } from "../../../../src/core/answer.ts";
import { hex } from "../../../../src/core/bytes.ts";
import {
  decodeDigestAnswer,
  decodeLearnAnswer,
  decodeReadAnswer,
  decodeWriteAnswer,
  encodeDigestAnswer,
  encodeFailure,
  encodeLearnAnswer,
  encodeReadAnswer,
  encodeWriteAnswer,
} from "../../../../src/core/messages/answer.ts";
import type { LearnAnswer } from "../../../../src/core/messages/answer.ts";
import { digestOf } from "../../../../src/core/version/record.ts";
import { bitsOf, bytes, recordKeys, stamp, withBitFlipped } from "../support/arbitraries.ts";
import { forAll } from "../support/for-all.ts";
import { u32, keyed, encoded, decodedOr, cutsOf, readOf, FAILURES } from "./support.ts";

describe("answers", () => {
  const records = fc.option(keyed, { nil: undefined, freq: 5 });
  const known = fc.record({ stamp, contentHash: u32 });
  const learned = fc.record({ newest: stamp, known: fc.option(known, { nil: undefined }) });

  test("to a read: a record, its absence, each refusal and each doubt", () => {
    forAll([recordKeys, records, stamp], (some, of, clock) => {
      const key = of?.key ?? some;
      const payload = encoded((w) => encodeReadAnswer(w, readOf(of?.record, clock)));
      const arrived = decodeReadAnswer(payload, key);
      if (arrived.kind !== "ok") throw new Error("a record or its absence");
      const { record } = arrived.value;
      expect(record && hex(record.bytes)).toBe(of && hex(of.record.bytes));
      expect(arrived.value.clock).toBe(clock);
    });
    const [key] = fc.sample(recordKeys, 1);
    for (const failure of FAILURES) {
      const payload = encoded((w) => encodeReadAnswer(w, failure));
      expect(key && decodeReadAnswer(payload, key)).toEqual(failure);
    }
  });

  test("to a digest: of a record or of none, each refusal and each doubt", () => {
    forAll([records, stamp], (of, clock) => {
      const answer = { kind: "ok", value: { digest: digestOf(of?.record), clock } } as const;
      expect(decodeDigestAnswer(encoded((w) => encodeDigestAnswer(w, answer)))).toEqual(answer);
    });
    for (const failure of FAILURES) {
      expect(decodeDigestAnswer(encoded((w) => encodeDigestAnswer(w, failure)))).toEqual(failure);
    }
  });

  test("to a learn: any stamp and what is known of the write, each refusal and each doubt", () => {
    forAll([learned], (value) => {
      const answer: Answer<LearnAnswer> = { kind: "ok", value };
      expect(decodeLearnAnswer(encoded((w) => encodeLearnAnswer(w, answer)))).toEqual(answer);
    });
    for (const failure of FAILURES) {
      expect(decodeLearnAnswer(encoded((w) => encodeLearnAnswer(w, failure)))).toEqual(failure);
    }
  });

  test("to a write: applied, each refusal and each doubt", () => {
    for (const answer of [{ kind: "ok", value: "applied" } as const, ...FAILURES]) {
      expect(decodeWriteAnswer(encoded((w) => encodeWriteAnswer(w, answer)))).toEqual(answer);
    }
  });

  test("a failure looks the same whatever was asked, so that a request that was not understood gets one", () => {
    for (const failure of FAILURES) {
      const payload = encoded((w) => encodeFailure(w, failure));
      expect(decodeLearnAnswer(payload)).toEqual(failure);
      expect(decodeWriteAnswer(payload)).toEqual(failure);
    }
  });

  test("a record of another key is refused", () => {
    forAll([keyed, recordKeys], ({ key, record }, other) => {
      fc.pre(hex(other) !== hex(key));
      const payload = encoded((w) => encodeReadAnswer(w, readOf(record)));
      expect(decodedOr(() => decodeReadAnswer(payload, other))).toBeUndefined();
    });
  });

  test("to a read, with one bit flipped, never tell another record, nor absence for one", () => {
    forAll(
      [keyed],
      ({ key, record }) => {
        const payload = encoded((w) => encodeReadAnswer(w, readOf(record)));
        const absent = encoded((w) => encodeReadAnswer(w, readOf(undefined)));
        // Only the clock has no checksum but the frame's.
        for (const [original, told] of [
          [payload, hex(record.bytes)],
          [absent, undefined],
        ] as const) {
          for (const bit of bitsOf(original)) {
            const arrived = decodedOr(() => decodeReadAnswer(withBitFlipped(original, bit), key));
            if (arrived?.kind !== "ok") continue;
            const found = arrived.value.record;
            expect(found && hex(found.bytes)).toBe(told);
          }
        }
      },
      25,
    );
  });

  test("applied, with one bit flipped, is refused", () => {
    const payload = encoded((w) => encodeWriteAnswer(w, { kind: "ok", value: "applied" }));
    for (const bit of bitsOf(payload)) {
      expect(decodedOr(() => decodeWriteAnswer(withBitFlipped(payload, bit)))).toBeUndefined();
    }
  });

  test("a refusal or doubt with one bit flipped never acknowledges a write", () => {
    for (const failure of FAILURES) {
      const payload = encoded((w) => encodeWriteAnswer(w, failure));
      for (const bit of bitsOf(payload)) {
        const arrived = decodedOr(() => decodeWriteAnswer(withBitFlipped(payload, bit)));
        expect(arrived?.kind).not.toBe("ok");
      }
    }
  });

  test("with bytes left over are refused", () => {
    const answers = [
      encoded((w) => encodeWriteAnswer(w, { kind: "ok", value: "applied" })),
      encoded((w) => encodeFailure(w, { kind: "refused", reason: "expired" })),
    ];
    for (const payload of answers) {
      const longer = Uint8Array.from([...payload, 0]);
      expect(decodedOr(() => decodeWriteAnswer(longer))).toBeUndefined();
    }
  });

  test("cut short they are refused", () => {
    forAll(
      [keyed, learned],
      ({ key, record }, value) => {
        const read = encoded((w) => encodeReadAnswer(w, readOf(record)));
        const learn = encoded((w) => encodeLearnAnswer(w, { kind: "ok", value }));
        const taken = [
          ...cutsOf(read).filter((cut) => decodedOr(() => decodeReadAnswer(cut, key))),
          ...cutsOf(learn).filter((cut) => decodedOr(() => decodeLearnAnswer(cut))),
        ];
        expect(taken).toEqual([]);
      },
      50,
    );
  });

  test("arbitrary bytes throw nothing but DecodeError, and a reason beyond the lists is refused", () => {
    const short = bytes({ maxLength: 20 }).map((of) => Uint8Array.from([(of[0] ?? 0) % 6, ...of]));
    forAll(
      [recordKeys, fc.oneof(short, bytes({ maxLength: 40 }))],
      (key, payload) => {
        const [kind, index = 255] = payload;
        const reason = [undefined, REFUSALS, DOUBTS][kind ?? 0]?.[index];
        const failure = payload.byteLength === 2 ? reason : undefined;
        for (const arrived of [
          decodedOr(() => decodeReadAnswer(payload, key)),
          decodedOr(() => decodeLearnAnswer(payload)),
          decodedOr(() => decodeWriteAnswer(payload)),
        ]) {
          const found = arrived?.kind === "ok" ? undefined : arrived?.reason;
          expect(found).toBe(failure);
        }
      },
      2_000,
    );
  });
});
