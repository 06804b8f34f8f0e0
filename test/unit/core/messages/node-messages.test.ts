import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hex } from "../../../../src/core/bytes.ts";
import { ByteWriter, DecodeError } from "../../../../src/core/codec.ts";
import {
  decodeHeartbeatAnswer,
  encodeHeartbeatAnswer,
} from "../../../../src/core/messages/heartbeat.ts";
import { decodeScanPage, encodeScanPage } from "../../../../src/core/messages/scan.ts";
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
  const page: fc.Arbitrary<ScanPage> = fc.record({
    entries: fc.array(entry, { maxLength: 3 }),
    next: fc.option(recordKeys, { nil: undefined }),
  });
  const plain = ({ entries, next }: ScanPage): unknown => [
    next && hex(next),
    ...entries.map(({ key, record }) => [hex(key), hex(record.bytes)]),
  ];

  test("arrive as they were sent", () => {
    forAll([page], (sent) => {
      const payload = encoded((writer) => encodeScanPage(writer, sent));
      expect(plain(decodeScanPage(payload))).toEqual(plain(sent));
    });
  });

  test("with a record damaged on the way are refused", () => {
    forAll([entry], (one) => {
      const payload = encoded((writer) =>
        encodeScanPage(writer, { entries: [one], next: undefined }),
      );
      const last = payload.byteLength - 1;
      payload[last] = (payload[last] ?? 0) ^ 1;
      expect(() => decodeScanPage(payload)).toThrow(DecodeError);
    });
  });
});
