import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { linesOf } from "../../../src/cli/rows/lines.ts";
import type { Line } from "../../../src/cli/rows/lines.ts";
import { ordered } from "../../../src/cli/rows/ordered.ts";
import { parseKeyRow, parseRow, rowText } from "../../../src/cli/rows/row.ts";

function line(text: string | undefined): Line {
  return { number: 1, text, end: 0 };
}

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

async function linesIn(text: string | Uint8Array, size = 1_000, max?: number): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const next of linesOf(chunksOf(Buffer.from(text), size), max)) lines.push(next);
  return lines;
}

describe("lines", () => {
  test("are numbered as an editor does, blank ones are left out, the last needs no line end", async () => {
    expect(await linesIn("a\n\n  \r\nb\r\nc")).toEqual([
      { number: 1, text: "a", end: 2 },
      { number: 4, text: "b\r", end: 10 },
      { number: 5, text: "c", end: 11 },
    ]);
    expect(await linesIn("")).toEqual([]);
  });

  test("are the same however the stream is cut", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "ü", "\n", "🙂") });
    return fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 1, max: 9 }), async (content, size) => {
        const naive = content
          .split("\n")
          .flatMap((found, index) => (found === "" ? [] : [[index + 1, found]]));
        const found = await linesIn(content, size);
        expect(found.map(({ number, text: read }) => [number, read])).toEqual(naive);
      }),
    );
  });

  test("too long or not UTF-8: the line has no text, the next ones do (lineBytesMax=4)", async () => {
    const bytes = Buffer.concat([
      Buffer.from("12345\n1234\n"),
      Buffer.from([0xff, 10]),
      Buffer.from("b"),
    ]);
    for (const size of [1, 3, 100]) {
      expect((await linesIn(bytes, size, 4)).map(({ text }) => text)).toEqual([
        undefined,
        "1234",
        undefined,
        "b",
      ]);
    }
  });
});

describe("rows", () => {
  test("any bucket, key, value and content headers survive export and import", () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 20 });
    const text = fc.string({ unit: "binary" }).map((value) => new TextEncoder().encode(value));
    fc.assert(
      fc.property(fc.oneof(bytes, text), fc.oneof(bytes, text), (key, value) => {
        const row = { bucket: "b", key, value, contentType: "a/b", contentEncoding: undefined };
        const read = parseRow(line(rowText(row)));
        expect(Buffer.from(read.key).equals(key)).toBe(true);
        expect(Buffer.from(read.value).equals(value)).toBe(true);
        expect(read).toMatchObject({ bucket: "b", contentType: "a/b" });
        expect(read.contentEncoding).toBeUndefined();
      }),
    );
  });

  test("text stays text, and what goes without saying is left out", () => {
    const row = {
      bucket: "b",
      key: Buffer.from("ü"),
      value: Buffer.from("v"),
      contentType: "text/plain",
      contentEncoding: undefined,
    };
    expect(rowText(row)).toBe('{"bucket":"b","key":"ü","value":"v","contentType":"text/plain"}');
    const plain = { ...row, bucket: "default", contentType: "application/octet-stream" };
    expect(rowText(plain)).toBe('{"key":"ü","value":"v"}');
  });

  test("a byte order mark is a part of the key and of the value", () => {
    const bytes = Buffer.from("\ufeffx");
    const row = { bucket: "b", key: bytes, value: bytes };
    const read = parseRow(
      line(rowText({ ...row, contentType: undefined, contentEncoding: undefined })),
    );
    expect([Buffer.from(read.key), Buffer.from(read.value)]).toEqual([bytes, bytes]);
  });

  test("both base64 alphabets are read, padded or not", () => {
    for (const value64 of ["+/8=", "+/8", "-_8", "-_8="]) {
      const row = parseRow(line(JSON.stringify({ key64: "AP8", value64 })));
      expect([...row.value]).toEqual([251, 255]);
      expect([...row.key]).toEqual([0, 255]);
    }
  });

  test.for([
    [undefined, "not UTF-8, or longer than"],
    ["{", "not JSON"],
    ["[1]", "not a JSON object"],
    ['{"key":"a"}', "'value' or 'value64' is missing"],
    ['{"value":"a"}', "'key' or 'key64' is missing"],
    ['{"key":"a","key64":"YQ","value":"v"}', "'key' and 'key64' are both given"],
    ['{"key":"a","value":{"b":1}}', "'value' is not text"],
    ['{"key":"a","value64":"a b"}', "'value64' is not base64"],
    ['{"key":"a","value":"v","ttl":60}', "there is no field 'ttl'"],
    ['{"key":"\\ud800","value":"v"}', "'key' is not valid Unicode"],
    ['{"key":"a","value":"\\ud800"}', "'value' is not valid Unicode"],
  ] as const)("%s is refused", ([text, message]) => {
    expect(() => parseRow(line(text))).toThrow(message);
  });

  test("a list of keys may be the rows of an import", () => {
    const row = parseKeyRow(line('{"bucket":"b","key":"a","value":"v","contentType":"x"}'));
    expect(Buffer.from(row.key).toString()).toBe("a");
    expect(row.bucket).toBe("b");
  });
});

describe("ordered", () => {
  test("yields in the order of the items, whichever ends first, with at most 3 under way", async () => {
    let underWay = 0;
    let most = 0;
    const delays = [30, 1, 10, 1, 1, 20, 1];
    async function* items() {
      yield* delays.entries();
    }
    const results: number[] = [];
    const work = async ([index, delay]: [number, number]) => {
      most = Math.max(most, ++underWay);
      await sleep(delay);
      underWay -= 1;
      return index;
    };
    for await (const result of ordered(items(), 3, work)) results.push(result);
    expect(results).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(most).toBe(3);
  });
});
