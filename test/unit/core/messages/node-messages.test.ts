import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hex, utf8 } from "../../../../src/core/bytes.ts";
import { ByteWriter, DecodeError } from "../../../../src/core/codec.ts";
import {
  decodeHeartbeatAnswer,
  encodeHeartbeatAnswer,
} from "../../../../src/core/messages/heartbeat.ts";
import type { Stamp } from "../../../../src/core/hlc.ts";
import { parseBucketName, parseKey } from "../../../../src/core/ids.ts";
import {
  decodeListAnswer,
  decodeScanAnswer,
  encodeListAnswer,
  encodeScanAnswer,
} from "../../../../src/core/messages/answer.ts";
import { listEntryBytes } from "../../../../src/core/messages/list.ts";
import type { ListAnswer } from "../../../../src/core/messages/list.ts";
import { scanEntryBytes } from "../../../../src/core/messages/scan.ts";
import type { ScanPage } from "../../../../src/core/messages/scan.ts";
import { recordKey } from "../../../../src/core/record-key.ts";
import type { Version } from "../../../../src/core/version/version.ts";
import { bitsOf, minted, recordKeys, version, withBitFlipped } from "../support/arbitraries.ts";
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

describe("pages of a list", () => {
  const bucket = parseBucketName("b");
  const asked = {
    range: { bucket, prefix: utf8("k"), after: undefined },
    partitions: Array.from({ length: 256 }, (_, partition) => partition),
    entriesMax: 9,
  };
  const entry = (text: string) => {
    const key = parseKey(utf8(text));
    return { key, value: minted(recordKey(bucket, key), one) };
  };
  const [one] = fc.sample(version, 1) as [Version];
  const sent = (of: Partial<ListAnswer>): Uint8Array => {
    const value = { clock: 5 as Stamp, entries: [], ended: true, ...of };
    return encoded((writer) => encodeListAnswer(writer, { kind: "ok", value }));
  };

  test("arrive as they were sent, in as many bytes as their entries are said to take", () => {
    const entries = [entry("k"), entry("k0"), entry("kk")];
    for (const ended of [true, false]) {
      const payload = sent({ entries, ended });
      const found = decodeListAnswer(payload, asked);
      if (found.kind !== "ok") throw new Error("a page");
      expect(found.value.clock).toBe(5);
      expect(found.value.ended).toBe(ended);
      const plain = (page: Pick<ListAnswer, "entries">): unknown =>
        page.entries.map(({ key, value }) => [hex(key), hex(value.bytes)]);
      expect(plain(found.value)).toEqual(plain({ entries }));
      const bytes = entries.reduce((sum, it) => sum + listEntryBytes(it), 10);
      expect(payload).toHaveLength(bytes);
    }
  });

  test("with one bit of an entry changed on the way are refused", () => {
    const payload = sent({ entries: [entry("k1")], ended: true });
    for (const bit of bitsOf(payload).slice(10 * 8)) {
      expect(() => decodeListAnswer(withBitFlipped(payload, bit), asked)).toThrow(DecodeError);
    }
  });

  test.each([
    ["keys out of order", [entry("k2"), entry("k1")], asked],
    ["a key twice", [entry("k1"), entry("k1")], asked],
    ["a key without the prefix", [entry("l")], asked],
    [
      "a key that was dealt with",
      [entry("k1")],
      { ...asked, range: { ...asked.range, after: parseKey(utf8("k1")) } },
    ],
    ["a key of another partition", [entry("k1"), entry("k2")], { ...asked, partitions: [0] }],
  ])("that hold %s are refused: a listing would leave keys out", (_what, entries, request) => {
    expect(() => decodeListAnswer(sent({ entries }), request)).toThrow(DecodeError);
  });

  test("that neither end nor go on anywhere are refused: they would pass for an end", () => {
    expect(() => decodeListAnswer(sent({ ended: false }), asked)).toThrow(DecodeError);
  });
});
