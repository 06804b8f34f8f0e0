import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hex } from "../../../../src/core/bytes.ts";
import { ByteWriter, DecodeError } from "../../../../src/core/codec.ts";
import {
  decodeHeartbeatAnswer,
  encodeHeartbeatAnswer,
} from "../../../../src/core/messages/heartbeat.ts";
import { decodeScanAnswer, encodeScanAnswer } from "../../../../src/core/messages/answer.ts";
import { scanEntryBytes } from "../../../../src/core/messages/scan.ts";
import type { ScanPage } from "../../../../src/core/messages/scan.ts";
import { minted, recordKeys, version } from "../support/arbitraries.ts";
import { forAll } from "../support/for-all.ts";

function encoded(encode: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter(16);
  encode(writer);
  return Uint8Array.from(writer.written());
}

describe("what nodes tell each other of themselves", () => {
  const answer = fc.record({
    directory: fc.record({
      directoryId: fc.constantFrom("0123456789abcdef", "fedcba9876543210"),
      startEpoch: fc.nat(0xffffffff),
      position: fc.maxSafeNat(),
    }),
    documentVersion: fc.nat(0xffffffff),
    wallMs: fc.maxSafeNat(),
    resynchronising: fc.boolean(),
    readOnly: fc.boolean(),
  });

  test("an answer to a heartbeat arrives as it was sent, and cut short not at all", () => {
    forAll([answer], (sent) => {
      const payload = encoded((writer) => encodeHeartbeatAnswer(writer, sent));
      expect(decodeHeartbeatAnswer(payload)).toEqual(sent);
      for (const length of payload.keys()) {
        expect(() => decodeHeartbeatAnswer(payload.subarray(0, length))).toThrow(DecodeError);
      }
    });
  });
});

describe("pages of a scan", () => {
  const entry = fc
    .tuple(recordKeys, version)
    .map(([key, of]) => ({ key, record: minted(key, of) }));
  const page: fc.Arbitrary<ScanPage> = fc
    .record({ entries: fc.array(entry, { maxLength: 3 }), ended: fc.boolean() })
    .filter(({ entries, ended }) => ended || entries.length > 0);
  const plain = ({ entries, ended }: ScanPage): unknown => [
    ended,
    ...entries.map(({ key, record }) => [hex(key), hex(record.bytes)]),
  ];
  const sentAnswer = (sent: ScanPage): Uint8Array =>
    encoded((writer) => encodeScanAnswer(writer, { kind: "ok", value: sent }));

  test("arrive as they were sent, in as many bytes as their entries are said to take", () => {
    forAll([page], (sent) => {
      const payload = sentAnswer(sent);
      const found = decodeScanAnswer(payload);
      expect(found.kind === "ok" && plain(found.value)).toEqual(plain(sent));
      const sizes = sent.entries.map(({ key, record }) => scanEntryBytes(key, record.bytes));
      expect(payload).toHaveLength(sizes.reduce((sum, size) => sum + size, 2));
    });
  });

  test("with one bit changed on the way are refused", () => {
    forAll([entry, fc.nat()], (one, at) => {
      const payload = sentAnswer({ entries: [one], ended: false });
      const bit = at % (payload.byteLength * 8);
      payload[bit >> 3] = (payload[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => decodeScanAnswer(payload)).toThrow(DecodeError);
    });
  });

  test("that neither end nor go on anywhere are refused: a copy would never end", () => {
    const payload = sentAnswer({ entries: [], ended: false });
    expect(() => decodeScanAnswer(payload)).toThrow(DecodeError);
  });
});
