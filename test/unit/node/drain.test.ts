import { describe, expect, test } from "vitest";
import { drain } from "../../../src/node/drain.ts";
import { VirtualTime } from "../../../src/testing/virtual-clock.ts";
import { drain as drainEvents } from "../../support/virtual-cluster.ts";

const NOTICE_MS = 1_000;
const TIMEOUT_MS = 5_000;

/** A node whose clients and operations come to rest when the test says so, and what was asked of it. */
class Subject {
  readonly time = new VirtualTime({ drain: drainEvents, wallMs: 0 });
  readonly log: string[] = [];
  answersSent: () => void = () => undefined;
  operationsDone: () => void = () => undefined;

  start(noticeMs = NOTICE_MS): Promise<boolean> {
    const note = (what: string): void => void this.log.push(`${this.time.now()}: ${what}`);
    return drain(
      { noticeMs, timeoutMs: TIMEOUT_MS },
      {
        clock: this.time.clock(),
        edge: {
          drain: () => {
            note("takes no more connections");
            return new Promise((resolve) => (this.answersSent = resolve));
          },
          abort: () => note("cuts clients off"),
        },
        operations: {
          idle: () => {
            note("waits for operations");
            return new Promise((resolve) => (this.operationsDone = resolve));
          },
        },
      },
    );
  }
}

describe("a drain", () => {
  test(`lets connections come for the notice (${NOTICE_MS} ms), then answers leave, then operations end`, async () => {
    const subject = new Subject();
    const atRest = subject.start();
    await subject.time.advance(NOTICE_MS - 1);
    expect(subject.log).toEqual([]);
    await subject.time.advance(2);
    subject.answersSent();
    await drainEvents();
    subject.operationsDone();
    expect(await atRest).toBe(true);
    await subject.time.advance(10 * TIMEOUT_MS);
    expect(subject.log.map((line) => line.replace(/^\d+: /, ""))).toEqual([
      "takes no more connections",
      "waits for operations",
    ]);
  });

  test("without a notice it begins at once", () => {
    const subject = new Subject();
    void subject.start(0);
    expect(subject.log).toEqual(["0: takes no more connections"]);
  });

  test.each([
    ["clients that read nothing", false],
    ["operations whose deadlines are far", true],
  ])(`ends after notice + timeout (${NOTICE_MS + TIMEOUT_MS} ms) despite %s`, async (_, sent) => {
    const subject = new Subject();
    const atRest = subject.start();
    await subject.time.advance(NOTICE_MS + 1);
    if (sent) subject.answersSent();
    expect(await subject.time.settled(atRest, { withinMs: TIMEOUT_MS })).toBe(false);
    expect(subject.log.at(-1)).toBe(`${NOTICE_MS + TIMEOUT_MS}: cuts clients off`);
  });
});
