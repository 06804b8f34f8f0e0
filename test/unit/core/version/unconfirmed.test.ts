import { expect, test } from "vitest";
import { hex, utf8 } from "../../../../src/core/bytes.ts";
import { decodeRecord } from "../../../../src/core/version/record.ts";
import { decodeStored, unconfirmedBytes } from "../../../../src/core/version/unconfirmed.ts";
import { addressOf, writeOf } from "../../node/support.ts";

const { key, record } = writeOf("k", "some value");

test("an unconfirmed record comes back with its doubt, a record without", () => {
  const doubtful = decodeStored(key, unconfirmedBytes(record));
  expect(doubtful.kind === "unconfirmed" && hex(doubtful.record.bytes)).toBe(hex(record.bytes));
  const sure = decodeStored(key, record.bytes);
  expect(sure.kind === "record" && hex(sure.bytes)).toBe(hex(record.bytes));
});

test("whoever reads records takes it for a damaged one", () => {
  expect(decodeRecord(key, unconfirmedBytes(record)).kind).toBe("damaged");
});

test("every single flipped bit makes it damaged, and neither sure nor somebody else's", () => {
  const bytes = unconfirmedBytes(record);
  for (let bit = 0; bit < bytes.byteLength * 8; bit++) {
    const flipped = Uint8Array.from(bytes);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(decodeStored(key, flipped).kind).toBe("damaged");
  }
  expect(decodeStored(addressOf("other"), bytes).kind).toBe("damaged");
  expect(decodeStored(key, utf8("")).kind).toBe("damaged");
  expect(decodeStored(key, Uint8Array.of(0xff)).kind).toBe("damaged");
});
