import { describe, expect, test } from "vitest";
import { historyLines, operationLine, parseHistory } from "../../../src/checker/history-lines.ts";
import type { MalformedLine } from "../../../src/checker/history-lines.ts";
import { forAll } from "../core/support/for-all.ts";
import { get, put } from "./support/operations.ts";
import { atomicHistory } from "./support/register-histories.ts";

const HEADER = '{"type":"history","format":1}';

const SIBLINGS = { blindWrites: "overwrite", siblingsMax: 32 };
const SIBLING = { version: "a", dot: "9e-2k", stamp: 77 };

function malformed(lines: readonly string[]): readonly MalformedLine[] {
  const parsed = parseHistory(lines);
  return parsed.kind === "malformed" ? parsed.lines : [];
}

test("what is written is read again", () => {
  forAll([atomicHistory({ operationsMax: 20, keys: 3 })], (seen) => {
    expect(parseHistory(historyLines(seen))).toEqual({ kind: "history", history: seen });
  });
});

test("the lines of a small history", () => {
  const records = new Map([["k", { version: "a", stamp: 7, tombstone: false, digest: "9f" }]]);
  const seen = {
    operations: [put("a", 0), get("a", 1, 2.5, { stamp: 7 })],
    replicas: [{ node: "n1", records }],
  };
  expect([...historyLines(seen)]).toEqual([
    HEADER,
    '{"type":"operation","client":0,"key":"k","n":3,"r":2,"w":2,"durability":"sync","kind":"put","version":"a","call":0,"outcome":"unknown"}',
    '{"type":"operation","client":0,"key":"k","stamp":7,"n":3,"r":2,"w":2,"durability":"sync","kind":"get","version":"a","call":1,"end":2.5,"outcome":"ok"}',
    '{"type":"replica","node":"n1"}',
    '{"type":"record","node":"n1","key":"k","version":"a","stamp":7,"tombstone":false,"digest":"9f"}',
  ]);
});

test("a get of an expired version", () => {
  const seen = get("a", 1, 2, { stamp: 7, expired: true, expiresAt: 1.5 });
  expect(operationLine(seen)).toMatch(/"expiresAt":1.5,"expired":true/);
  expect(parseHistory([HEADER, operationLine(seen)])).toEqual({
    kind: "history",
    history: { operations: [seen], replicas: [] },
  });
});

test("a get of siblings, and a replica that holds them", () => {
  const siblings = [{ ...SIBLING, expiresAt: undefined, expired: false }];
  const causality = {
    blindWrites: "overwrite",
    siblingsMax: 32,
    sent: undefined,
    context: "AQ5c",
    siblings,
  } as const;
  const record = { version: "9e-2k", stamp: 77, tombstone: false, digest: "9f", siblings };
  const seen = {
    operations: [get(undefined, 1, 2, { causality })],
    replicas: [{ node: "n1", records: new Map([["k", record]]) }],
  };
  const lines = [...historyLines(seen)];
  expect(lines[1]).toContain(
    '"causality":{"blindWrites":"overwrite","siblingsMax":32,"context":"AQ5c","siblings":[{"version":"a","dot":"9e-2k","stamp":77}]}',
  );
  expect(lines[3]).toContain('"siblings":[{"version":"a","dot":"9e-2k","stamp":77}]');
  expect(parseHistory(lines)).toEqual({ kind: "history", history: seen });
});

test("blank lines are allowed, such as the last one of a file", () => {
  const text = `${HEADER}\n\n${operationLine(put("a", 0, 1))}\n`;
  expect(parseHistory(text.split("\n"))).toEqual({
    kind: "history",
    history: { operations: [put("a", 0, 1)], replicas: [] },
  });
});

describe("malformed lines are errors with their number", () => {
  const line = (changes: Record<string, unknown>): string =>
    JSON.stringify({ type: "operation", ...put("a", 0, 1), ...changes });

  test.each([
    ["not json", "no JSON object"],
    ["[1]", "no JSON object"],
    ["null", "no JSON object"],
    ["{}", 'type is one of "operation", "replica", "record"'],
    ['{"type":"history","format":1}', 'type is one of "operation", "replica", "record"'],
    [line({ kind: "cas" }), "kind is one of put, delete, get"],
    [line({ outcome: "fail" }), "outcome is one of ok, not-applied, unknown"],
    [line({ durability: "none" }), "durability is one of sync, async"],
    [line({ expired: "yes" }), "expired is true or false"],
    [line({ expired: true }), "a put does not expire"],
    [line({ kind: "get", version: undefined, expired: true }), "an expired get needs a version"],
    [line({ client: -1 }), "client is a whole number from 0"],
    [line({ client: 1.5 }), "client is a whole number from 0"],
    [line({ key: undefined }), "key is a text"],
    [line({ key: 7 }), "key is a text"],
    [line({ call: "0" }), "call is a number"],
    [line({ call: null }), "call is a number"],
    [line({ stamp: "7" }), "stamp is a number"],
    [line({}).replace('"end":1', '"end":1e999'), "end is a number"],
    [line({ n: 0 }), "n is a whole number from 1"],
    [line({ r: 4 }), "r is a whole number from 1 to 3"],
    [line({ w: 0 }), "w is a whole number from 1 to 3"],
    [line({ stmp: 7 }), 'field "stmp" is not known'],
    [line({ causality: "AQ4f" }), "causality is an object"],
    [line({ causality: { ...SIBLINGS, snt: "AQ4f" } }), 'field "snt" is not known'],
    [line({ causality: { ...SIBLINGS, siblings: "a" } }), "siblings is a list of objects"],
    [
      line({ causality: { ...SIBLINGS, siblings: [{ version: "a", dot: "x" }] } }),
      "stamp is a number",
    ],
    [line({ causality: { ...SIBLINGS, siblings: [SIBLING] } }), "a put is shown no siblings"],
    [
      line({ kind: "get", version: undefined, causality: { ...SIBLINGS, sent: "AQ4f" } }),
      "a get sends no context",
    ],
    [line({ kind: "get", causality: SIBLINGS }), "a get of siblings has no version of its own"],
    [line({ end: -1 }), "end is before call"],
    [line({ end: undefined }), "outcome ok needs an end"],
    [line({ version: undefined }), "a put needs a version"],
    [line({ kind: "delete", version: undefined }), "a delete needs a version"],
    [line({ kind: "get", outcome: "unknown" }), "a get without answer has no version"],
    [line({ kind: "get", version: undefined, stamp: 7 }), "a stamp needs a version"],
    ['{"type":"replica"}', "node is a text"],
    ['{"type":"record","node":"n1"}', "key is a text"],
    [
      '{"type":"record","node":"n1","key":"k","version":"a","stamp":1,"tombstone":0,"digest":""}',
      "tombstone is true or false",
    ],
    [
      '{"type":"record","node":"n1","key":"k","version":"a","stamp":1,"tombstone":true,"digest":""}',
      'no replica "n1" came before',
    ],
  ])("%s: %s", (text, problem) => {
    expect(malformed([HEADER, "", text])).toEqual([{ line: 3, problem }]);
  });

  test("all of them are named, and a truncated last one too", () => {
    const whole = operationLine(put("a", 0, 1));
    expect(malformed([HEADER, "x", whole, "y", whole.slice(0, 40)])).toEqual([
      { line: 2, problem: "no JSON object" },
      { line: 4, problem: "no JSON object" },
      { line: 5, problem: "no JSON object" },
    ]);
  });

  test("a replica or a record that comes twice", () => {
    const replica = '{"type":"replica","node":"n1"}';
    const record =
      '{"type":"record","node":"n1","key":"k","version":"a","stamp":1,"tombstone":true,"digest":""}';
    expect(malformed([HEADER, replica, record, replica, record])).toEqual([
      { line: 4, problem: 'replica "n1" was there before' },
      { line: 5, problem: 'n1 held key "k" before' },
    ]);
  });

  test.each([
    [[], "the file is empty"],
    [[operationLine(put("a", 0, 1))], 'the first line is {"type":"history","format":1}'],
    [['{"type":"history","format":2}'], "format 2 is not known, 1 is"],
    [['{"type":"history"}'], "format is a whole number from 0"],
  ])("a file that does not begin as one: %j", (lines, problem) => {
    expect(malformed(lines).map((it) => it.problem)).toEqual([problem]);
  });
});
