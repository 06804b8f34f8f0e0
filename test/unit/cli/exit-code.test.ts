import { expect, test } from "vitest";
import {
  CliError,
  EXIT,
  Interrupted,
  exitCodeOf,
  exitCodeOfAll,
} from "../../../src/cli/exit-code.ts";
import { ERRORS, KvError } from "../../../src/core/errors.ts";
import type { ErrorCode } from "../../../src/core/errors.ts";
import { kv } from "../../support/shell.ts";

const EXPECTED: Readonly<Record<ErrorCode, number>> = {
  "request-invalid": 2,
  "bucket-property-invalid": 2,
  "bucket-exists": 4,
  "bucket-removed": 4,
  "members-missing": 5,
  "change-unknown": 6,
  "bucket-name-invalid": 2,
  "key-invalid": 2,
  "parameter-invalid": 2,
  "header-invalid": 2,
  "route-not-found": 3,
  "bucket-not-found": 3,
  "key-not-found": 3,
  "method-not-allowed": 2,
  "request-timeout": 6,
  "bucket-mode-unfit": 4,
  "conditional-needs-strong-bucket": 4,
  "value-too-large": 2,
  "batch-too-large": 2,
  "uri-too-long": 2,
  overloaded: 5,
  "context-invalid": 2,
  "cursor-invalid": 2,
  "context-required": 4,
  "context-too-large": 4,
  "too-many-siblings": 4,
  "write-id-reused": 4,
  "headers-too-large": 2,
  internal: 1,
  "write-unavailable": 5,
  "read-unavailable": 5,
  "clock-unsafe": 5,
  "read-unconfirmed": 5,
  "starting-or-draining": 5,
  "write-unknown": 6,
  "read-timeout": 6,
  "no-space": 5,
  "gateway-unavailable": 6,
  forbidden: 7,
  "gateway-timeout": 6,
  unreachable: 8,
  "answer-invalid": 1,
  "option-invalid": 2,
  "secret-required": 2,
  "directory-in-use": 1,
  "directory-refused": 1,
  "directory-damaged": 1,
  "disk-full": 1,
  "address-in-use": 1,
};

test.for(Object.keys(ERRORS) as ErrorCode[])("%s has its exit code", (code) => {
  expect(exitCodeOf(new KvError(code, ""))).toBe(EXPECTED[code]);
});

test("a refused write of which an earlier attempt may live is 'unknown', not 'unavailable'", () => {
  expect(exitCodeOf(new KvError("overloaded", "", { outcome: "unknown" }))).toBe(EXIT.unknown);
  expect(exitCodeOf(new KvError("write-unavailable", "", { atDeadline: true }))).toBe(EXIT.unknown);
});

test("anything else is a bug, an interruption, or says itself", () => {
  expect(exitCodeOf(new Error("oops"))).toBe(EXIT.internal);
  expect(exitCodeOf(new Interrupted("SIGINT"))).toBe(130);
  expect(exitCodeOf(new CliError(EXIT.checkFailed, ""))).toBe(9);
});

test("many failures of one kind keep their code, of several kinds are a failed command", () => {
  expect(exitCodeOfAll(new Set())).toBe(0);
  expect(exitCodeOfAll(new Set([5]))).toBe(5);
  expect(exitCodeOfAll(new Set([5, 2]))).toBe(1);
});

test("kv --help lists every exit code", async () => {
  const { stdout, exitCode } = await kv(["--help"]);
  expect(exitCode).toBe(0);
  for (const code of Object.values(EXIT)) {
    expect(stdout.toString()).toMatch(new RegExp(`^ +${code}  \\w`, "m"));
  }
});
