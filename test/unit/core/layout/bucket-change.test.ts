import { expect, test } from "vitest";
import { parsePeers } from "../../../../src/core/config.ts";
import { parseBucketName } from "../../../../src/core/ids.ts";
import {
  BUCKETS_MAX,
  changedDocument,
  changeJson,
  parseChange,
} from "../../../../src/core/layout/bucket-change.ts";
import { firstClusterDocument } from "../../../../src/core/layout/cluster-document.ts";
import { documentJson, parseDocument } from "../../../../src/core/layout/document-json.ts";

const FIRST = firstClusterDocument(parsePeers("n1=h1:1,n2=h2:2,n3=h3:3"));
const NAME = parseBucketName("carts");
const CREATE = { kind: "put", name: NAME, given: { w: 3 }, expect: "absent" } as const;
const CREATED = changedDocument(FIRST, CREATE);
const code = (wanted: string) => expect.objectContaining({ code: wanted });

test("a new bucket is one version on under the same epoch: no request becomes stale", () => {
  expect(CREATED.version).toBe(FIRST.version + 1);
  expect(CREATED.layout).toBe(FIRST.layout);
  expect(CREATED.buckets.get(NAME)).toMatchObject({ mode: "lww", n: 3, r: 2, w: 3 });
  expect(FIRST.buckets.has(NAME)).toBe(false);
});

test("a change that is repeated makes no further version", () => {
  expect(changedDocument(CREATED, CREATE)).toBe(CREATED);
  expect(changedDocument(CREATED, { ...CREATE, expect: "any" })).toBe(CREATED);
});

test("to create what exists otherwise, and to change what does not exist, is refused", () => {
  expect(() => changedDocument(CREATED, { ...CREATE, given: {} })).toThrow(code("bucket-exists"));
  const present = { ...CREATE, expect: "present" } as const;
  expect(() => changedDocument(FIRST, present)).toThrow(code("bucket-not-found"));
  expect(changedDocument(CREATED, { ...present, given: { r: 1 } }).buckets.get(NAME)).toMatchObject(
    {
      r: 1,
      w: 3,
    },
  );
});

test(`there are at most ${BUCKETS_MAX} buckets; those that exist can still be changed`, () => {
  let document = CREATED;
  for (let i = document.buckets.size; i < BUCKETS_MAX; i++) {
    document = changedDocument(document, { ...CREATE, name: parseBucketName(`b${i}`) });
  }
  const more = { ...CREATE, name: parseBucketName("more") };
  expect(() => changedDocument(document, more)).toThrow(code("bucket-property-invalid"));
  expect(changedDocument(document, { ...CREATE, given: { r: 1 }, expect: "any" }).version).toBe(
    document.version + 1,
  );
});

test("a removed bucket is gone and its name is not used again; to remove it again is no change", () => {
  const remove = { kind: "remove", name: NAME } as const;
  const removed = changedDocument(CREATED, remove);
  expect([removed.version, removed.buckets.has(NAME)]).toEqual([CREATED.version + 1, false]);
  expect(changedDocument(removed, remove)).toBe(removed);
  for (const expected of ["any", "absent", "present"] as const) {
    const again = { ...CREATE, expect: expected };
    expect(() => changedDocument(removed, again)).toThrow(code("bucket-removed"));
  }
});

test("what never was cannot be removed, and the bucket 'default' always exists", () => {
  expect(() => changedDocument(FIRST, { kind: "remove", name: NAME })).toThrow(
    code("bucket-not-found"),
  );
  const name = parseBucketName("default");
  expect(() => changedDocument(FIRST, { kind: "remove", name })).toThrow(
    code("bucket-property-invalid"),
  );
});

test("documents and changes come back from JSON as they were", () => {
  const given = { mode: "siblings", ttlSeconds: 5, siblingsMax: 3, blindWrites: "refuse" } as const;
  const other = { ...CREATE, name: parseBucketName("sets"), given };
  const removed = changedDocument(changedDocument(CREATED, other), { kind: "remove", name: NAME });
  const json: unknown = JSON.parse(JSON.stringify(documentJson(removed)));
  expect(parseDocument(json, FIRST.layout)).toEqual(removed);
  const changes = [
    other,
    { ...CREATE, given: { ttlSeconds: undefined } },
    { kind: "remove", name: NAME },
  ] as const;
  for (const change of changes) {
    expect(parseChange(JSON.parse(JSON.stringify(changeJson(change))))).toEqual(change);
  }
});

test.each([
  [],
  3,
  null,
  {},
  { version: 0, buckets: {}, removed: [] },
  { version: 1, buckets: [], removed: [] },
])("%j is no document", (json) => {
  expect(parseDocument(json, FIRST.layout)).toBeUndefined();
});

test.each([null, {}, { kind: "put", name: "b" }, { kind: "drop", name: "b" }, { kind: "remove" }])(
  "%j is no change",
  (json) => {
    expect(parseChange(json)).toBeUndefined();
  },
);
