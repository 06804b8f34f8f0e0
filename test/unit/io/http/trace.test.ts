import type { IncomingMessage } from "node:http";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { defaultBucketProperties } from "../../../../src/core/bucket-properties.ts";
import type { HttpApi } from "../../../../src/node/io/http/http-api.ts";
import { Timing, traceparentOf } from "../../../../src/node/io/http/trace.ts";
import { RecordingTelemetry } from "../../../../src/testing/recording-telemetry.ts";
import { charOf } from "../../core/support/arbitraries.ts";
import { forAll } from "../../core/support/for-all.ts";
import { fetchFrom, openApi } from "./api.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const GIVEN = `00-${TRACE}-${PARENT}-01`;

const repeated = (traceparent?: string): string | undefined =>
  traceparentOf({ headers: { traceparent } } as unknown as IncomingMessage);

describe("traceparent", () => {
  test("is repeated, and a later version as the one that is known", () => {
    expect(repeated(GIVEN)).toBe(GIVEN);
    expect(repeated(`00-${TRACE}-${PARENT}-00`)).toBe(`00-${TRACE}-${PARENT}-00`);
    expect(repeated(`cc-${TRACE}-${PARENT}-01`)).toBe(GIVEN);
    expect(repeated(`cc-${TRACE}-${PARENT}-01-what the future brings`)).toBe(GIVEN);
  });

  test.each([
    undefined,
    "",
    `ff-${TRACE}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-01-more`,
    `cc-${TRACE}-${PARENT}-01more`,
    `00-${TRACE}-${PARENT}-1`,
    `00-${TRACE}-${PARENT}`,
    `0-${TRACE}-${PARENT}-01`,
    `00-${"0".repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00_${TRACE}_${PARENT}_01`,
    ` ${GIVEN}`,
    `${GIVEN}\n`,
    `${GIVEN}, ${GIVEN}`,
  ])("'%s' is ignored", (given) => {
    expect(repeated(given)).toBeUndefined();
  });

  test("of any text is ignored or comes back well-formed", () => {
    const digits = (length: number) =>
      fc.string({
        unit: charOf("0123456789abcdefF-"),
        minLength: length - 1,
        maxLength: length,
      });
    const near = fc.tuple(digits(2), digits(32), digits(16), digits(2)).map((it) => it.join("-"));
    forAll([fc.oneof(near, fc.string())], (given) => {
      const answer = repeated(given);
      expect(answer ?? GIVEN).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/);
    });
  });
});

describe("an answer", () => {
  let api: HttpApi | undefined;
  afterEach(() => api?.drain());

  test("tells how long the body and the replicas took, also when it is a refusal", async () => {
    api = await openApi({ view: { bucket: () => defaultBucketProperties(3) } });
    const init = { method: "PUT", body: "v", headers: { traceparent: GIVEN } };
    const { headers } = await fetchFrom(api, "/v1/kv/default/k", init);
    expect(headers.get("server-timing")).toMatch(
      /^body;dur=\d+\.\d, quorum;dur=\d+\.\d, total;dur=\d+\.\d$/,
    );
    expect(headers.get("traceparent")).toBe(GIVEN);
  });

  test("that a bug spoiled is in the log under both ids", async () => {
    const telemetry = new RecordingTelemetry();
    api = await openApi({ telemetry });
    const headers = { "kv-request-id": "r-1", traceparent: GIVEN };
    expect((await fetchFrom(api, "/v1/kv/default/k", { headers })).status).toBe(500);
    expect(telemetry.lines.at(-1)).toMatchObject({
      level: "error",
      fields: { requestId: "r-1", traceparent: GIVEN },
    });
  });
});

test("a part of the time is told when its work fails, too", async () => {
  const timing = new Timing();
  await expect(timing.of("body", Promise.reject(new Error("late")))).rejects.toThrow("late");
  expect(timing.text()).toMatch(/^body;dur=/);
});
