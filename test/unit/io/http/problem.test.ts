import { describe, expect, test } from "vitest";
import { ERRORS, isErrorCode, KvError } from "../../../../src/core/errors.ts";
import { problemBody, problemHeaders } from "../../../../src/node/io/http/problem.ts";

const CODES = Object.keys(ERRORS).filter(isErrorCode);

describe("a problem document", () => {
  test.each(CODES)("of %s says what the table says and where it is explained", (code) => {
    const { outcome, retry, title, status = 500 } = ERRORS[code];
    expect(JSON.parse(problemBody(new KvError(code, "the detail"), "request-1"))).toEqual({
      type: `/docs/errors.md#${code}`,
      title,
      status,
      detail: "the detail",
      instance: "request-1",
      code,
      outcome,
      retry,
    });
  });

  test("carries the facts of the operation, and its outcome instead of the table's", () => {
    const facts = { needed: 2, acked: 1, writeId: "w-1", retryAfterMs: 700, deleted: true };
    const error = new KvError("write-unavailable", "d", { ...facts, outcome: "unknown" });
    expect(JSON.parse(problemBody(error, "r"))).toMatchObject({ ...facts, outcome: "unknown" });
  });
});

describe("problem headers", () => {
  test("Retry-After is in whole seconds, rounded up: 1 ms asks for 1 s, 1,001 ms for 2 s", () => {
    const headers = (retryAfterMs: number): string[] =>
      problemHeaders(new KvError("overloaded", "d", { retryAfterMs }));
    expect(headers(1)).toEqual(["Retry-After", "1"]);
    expect(headers(1_000)).toEqual(["Retry-After", "1"]);
    expect(headers(1_001)).toEqual(["Retry-After", "2"]);
  });

  test("Allow and KV-Deleted stand where they belong, and nothing else does", () => {
    expect(problemHeaders(new KvError("method-not-allowed", "d", { allow: "GET" }))).toEqual([
      "Allow",
      "GET",
    ]);
    expect(problemHeaders(new KvError("key-not-found", "d", { deleted: true }))).toEqual([
      "KV-Deleted",
      "true",
    ]);
    expect(problemHeaders(new KvError("key-not-found", "d", { deleted: false }))).toEqual([]);
    expect(problemHeaders(new KvError("internal", "d"))).toEqual([]);
  });
});
