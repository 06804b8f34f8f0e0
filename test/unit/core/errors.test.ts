import { describe, expect, test } from "vitest";
import { ERRORS, isErrorCode, KvError } from "../../../src/core/errors.ts";
import type { ErrorCode } from "../../../src/core/errors.ts";

const CODES = Object.keys(ERRORS).filter(isErrorCode);

/** Statuses that API.md lists for errors, and nginx's own 502. */
const STATUSES = [
  400, 401, 403, 404, 405, 408, 409, 412, 413, 414, 415, 421, 422, 428, 429, 431, 500, 502, 503,
  504, 507,
];

describe("the table", () => {
  test.each(CODES)("%s has a title, a doc and a status of the contract", (code) => {
    const { title, doc, status, outcome, retry } = ERRORS[code];
    expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(title).toMatch(/^[A-Z].*[^.]$/);
    expect(doc).toMatch(/^(?:[A-Z`]|nginx).*\.$/);
    expect([undefined, ...STATUSES]).toContain(status);
    expect(["not-applied", "unknown"]).toContain(outcome);
    expect(["no", "same-write-id", "after"]).toContain(retry);
  });

  test("an unknown outcome is never answered with a retry under a new write id, nor with none", () => {
    const unknown = CODES.filter((code) => ERRORS[code].outcome === "unknown");
    expect(unknown).toContain("write-unknown");
    expect(unknown.filter((code) => ERRORS[code].retry !== "same-write-id")).toEqual([]);
  });

  test("503 says that nothing was applied; 4xx too", () => {
    const proven = CODES.filter((code) => {
      const { status } = ERRORS[code];
      return status === 503 || (status !== undefined && status < 500);
    });
    expect(proven.length).toBeGreaterThan(10);
    expect(proven.filter((code) => ERRORS[code].outcome !== "not-applied")).toEqual([]);
  });

  test("refusals for load ask to come back after a pause", () => {
    const forLoad = CODES.filter((code) => [429, 503].includes(ERRORS[code].status ?? 0));
    expect(forLoad).toContain("overloaded");
    expect(forLoad.filter((code) => ERRORS[code].retry !== "after")).toEqual([]);
  });
});

describe("KvError", () => {
  test("takes status, outcome and retry from the table", () => {
    for (const code of CODES) {
      const error = new KvError(code, "detail");
      expect(error.status).toBe(ERRORS[code].status ?? 500);
      expect(error.outcome).toBe(ERRORS[code].outcome);
      expect(error.retry).toBe(ERRORS[code].retry);
      expect(error).toMatchObject({ name: "KvError", code, message: "detail", data: {} });
      expect(error).toBeInstanceOf(Error);
    }
  });

  test("the operation's own tally knows better than the table", () => {
    const error = new KvError("write-unavailable", "detail", { outcome: "unknown" });
    expect(error.outcome).toBe("unknown");
    expect(new KvError("write-unknown", "d", { outcome: "not-applied" }).outcome).toBe(
      "not-applied",
    );
  });

  test("is a 504 when the deadline ended the operation, else the table's 503", () => {
    expect(new KvError("read-unconfirmed", "d", { atDeadline: true }).status).toBe(504);
    expect(new KvError("read-unconfirmed", "d", { atDeadline: false }).status).toBe(503);
  });

  test("keeps its cause", () => {
    const cause = new Error("below");
    expect(new KvError("internal", "d", {}, { cause }).cause).toBe(cause);
  });
});

describe("isErrorCode", () => {
  test("knows each code and nothing that objects have by themselves", () => {
    const codes: readonly ErrorCode[] = CODES;
    expect(codes).toHaveLength(Object.keys(ERRORS).length);
    const others = ["", "toString", "__proto__", "constructor", "Internal", "write_unknown"];
    expect(others.filter(isErrorCode)).toEqual([]);
  });
});
