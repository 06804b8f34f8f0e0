import { describe, expect, test } from "vitest";
import {
  changedBucket,
  defaultBucketProperties,
  newBucket,
  parseProperties,
} from "../../../src/core/bucket-properties.ts";

const FULL = defaultBucketProperties(3);

describe("properties of a bucket", () => {
  test("of which nothing is said are these", () => {
    expect(newBucket(parseProperties({}), 3)).toEqual({
      mode: "lww",
      n: 3,
      r: 2,
      w: 2,
      durability: "sync",
      readRepair: "blocking",
      ttlSeconds: undefined,
      valueBytesMax: 1_048_576,
      blindWrites: "overwrite",
      siblingsMax: 32,
    });
  });

  test("what JSON says of a whole bucket is read back the same", () => {
    const whole = { ...FULL, r: 3, ttlSeconds: 60, durability: "async" };
    expect(newBucket(parseProperties(JSON.parse(JSON.stringify(whole))), 3)).toEqual(whole);
    expect(parseProperties({ ttlSeconds: null })).toEqual({ ttlSeconds: undefined });
  });

  test.each([
    [[], /^properties are one JSON object/],
    ["r", /^properties are one JSON object/],
    [{ replicas: 3 }, /^'replicas': there are mode, n, r, w/],
    [{ __proto__x: 3 }, /^'__proto__x'/],
    [{ r: "2" }, /^r must be a number/],
    [{ r: null }, /^r: 'none' is not a whole number/],
    [{ w: 0 }, /^w: '0' is not/],
    [{ w: 1.5 }, /^w: '1.5' is not/],
    [{ mode: "strong" }, /^mode: 'strong' is not one of/],
    [{ mode: "siblings", siblingsMax: 33 }, /^siblingsMax: '33' is not/],
    [{ blindWrites: "merge" }, /^blindWrites: 'merge' is not one of/],
    [{ durability: true }, /^durability must be a text/],
    [{ valueBytesMax: 1024 * 1024 + 1 }, /^valueBytesMax: /],
  ])("%j is refused by the name of what is wrong", (json, detail) => {
    expect(() => parseProperties(json)).toThrow(detail);
    const refused = expect.objectContaining({ code: "bucket-property-invalid" });
    expect(() => parseProperties(json)).toThrow(refused);
  });

  test.each([
    [{ n: 4 }, /^n: 4 replicas need as many members, there are 3/],
    [{ n: 2, r: 3 }, /^r: 3 of 2/],
    [{ w: 4 }, /^w: 4 of 3/],
    [{ siblingsMax: 3 }, /^siblingsMax: only buckets of mode siblings have it/],
    [
      { mode: "lww", blindWrites: "refuse" } as const,
      /^blindWrites: only buckets of mode siblings/,
    ],
  ])("%j contradicts itself or the cluster (members=3)", (given, detail) => {
    expect(() => newBucket(given, 3)).toThrow(detail);
  });

  test("a change keeps what it does not name, and is itself when it is repeated", () => {
    const changed = changedBucket(FULL, { r: 1, ttlSeconds: 9 }, 3);
    expect(changed).toEqual({ ...FULL, r: 1, ttlSeconds: 9 });
    expect(changedBucket(changed, { r: 1, ttlSeconds: 9 }, 3)).toEqual(changed);
    expect(() => changedBucket(changed, { w: 4 }, 3)).toThrow(/^w: 4 of 3/);
  });

  test("n stays as it was created; to name it again is no change", () => {
    expect(changedBucket(FULL, { n: 3, mode: "lww" }, 3)).toEqual(FULL);
    const refused = expect.objectContaining({ code: "bucket-exists" });
    expect(() => changedBucket(FULL, { n: 2 }, 3)).toThrow(refused);
  });
});
