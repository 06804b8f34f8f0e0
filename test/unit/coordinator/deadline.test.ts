import { describe, expect, test } from "vitest";
import { Deadline } from "../../../src/coordinator/deadline.ts";
import { VirtualTime } from "../../../src/testing/virtual-clock.ts";
import { drain } from "../../support/virtual-cluster.ts";

describe("racing a deadline", () => {
  test("what comes first counts", async () => {
    const time = new VirtualTime({ drain });
    const deadline = new Deadline(time.clock(), 10);
    expect(await deadline.race(Promise.resolve("in time"), "soon")).toBe("in time");
    const never = deadline.race(new Promise<string>(() => {}), "never");
    expect(await time.settled(never)).toBe("deadline");
    expect(deadline.phases()).toEqual([
      { phase: "soon", ms: 0 },
      { phase: "never", ms: 10 },
    ]);
  });

  test("a failure that comes too late is heard of by somebody", async () => {
    const time = new VirtualTime({ drain });
    const deadline = new Deadline(time.clock(), 10);
    await time.advance(20);
    const unheard: unknown[] = [];
    const note = (reason: unknown): void => void unheard.push(reason);
    process.on("unhandledRejection", note);
    expect(await deadline.race(Promise.reject(new Error("late")), "late")).toBe("deadline");
    await drain();
    process.off("unhandledRejection", note);
    expect(unheard).toEqual([]);
  });
});
