import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { utf8 } from "../../../src/core/bytes.ts";
import { KvError } from "../../../src/core/errors.ts";
import { systemTelemetry } from "../../../src/node/io/telemetry.ts";
import { UNLOGGED } from "../../../src/ports/telemetry.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "quorate-log-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** What the log holds after `write`. */
function logged(write: (log: ReturnType<typeof systemTelemetry>["log"]) => void): string {
  const file = join(folder, "log");
  const telemetry = systemTelemetry({ level: "debug", base: { node: "n1" }, file });
  write(telemetry.log);
  telemetry.flush();
  return readFileSync(file, "utf8");
}

test("a line is one JSON object with time, level by name, node, fields and message", () => {
  const text = logged((log) => log.info({ peer: "n2", ms: 3 }, "hello"));
  expect(text.match(/\n/g)).toHaveLength(1);
  expect(JSON.parse(text)).toEqual({
    level: "info",
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    node: "n1",
    peer: "n2",
    ms: 3,
    msg: "hello",
  });
});

test.each(UNLOGGED)("a field named %s is censored at every depth that fields have", (name) => {
  const text = logged((log) => {
    // As a mistake would: the type forbids the first of them.
    const mistake = { [name]: "hunter2" } as object;
    log.error({ ...mistake, one: mistake, two: { three: mistake } }, "m");
  });
  expect(text).not.toContain("hunter2");
  expect(text.match(/\[Redacted\]/g)).toHaveLength(3);
});

test("bytes are told by their length alone, whatever their name", () => {
  const text = logged((log) => log.warn({ record: utf8("hunter2"), count: 1 }, "m"));
  expect(JSON.parse(text)).toMatchObject({ record: "[7 bytes]", count: 1 });
  expect(text).not.toMatch(/104,117|hunter2/);
});

test("an error keeps its code, message, stack and cause", () => {
  const cause = new Error("the disk said no");
  const error = new KvError("internal", "broken", {}, { cause });
  const { err } = JSON.parse(logged((log) => log.error({ err: error }, "m"))) as {
    err: Record<string, string>;
  };
  expect(err).toMatchObject({ type: "KvError", code: "internal" });
  expect(err["message"]).toContain("broken");
  expect(err["stack"]).toContain("telemetry-log.test");
  expect(err["stack"]).toContain("the disk said no");
});
