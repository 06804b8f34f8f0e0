import { describe, expect, test } from "vitest";
import { FreeSpace } from "../../../src/core/free-space.ts";

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;

function spaceOf(freeBytes: number, opts: { min?: number; totalBytes?: number } = {}): FreeSpace {
  const space = new FreeSpace({ diskFreeBytesMin: opts.min });
  space.measured({ freeBytes, totalBytes: opts.totalBytes ?? 100 * GiB });
  return space;
}

describe("free space", () => {
  test.each([
    [100 * GiB, 256 * MiB],
    [1 * GiB, 0.1 * GiB],
    [64 * MiB, 6.4 * MiB],
  ])("of %i bytes in all, the watermark is %i unless it is set", (totalBytes, watermark) => {
    expect(spaceOf(watermark + 1, { totalBytes }).readOnly).toBe(false);
    expect(spaceOf(watermark - 1, { totalBytes }).readOnly).toBe(true);
  });

  test("a watermark that was set holds on any disk; 0 means never", () => {
    expect(spaceOf(999, { min: 1_000, totalBytes: 2_000 }).readOnly).toBe(true);
    expect(spaceOf(1_000, { min: 1_000, totalBytes: 2_000 }).readOnly).toBe(false);
    const unlimited = spaceOf(0, { min: 0 });
    expect([unlimited.admits("client"), unlimited.admits("repair")]).toEqual([true, true]);
  });

  test("repairs go on down to a quarter of the watermark", () => {
    for (const [free, client, repair] of [
      [1_000, true, true],
      [999, false, true],
      [250, false, true],
      [249, false, false],
    ] as const) {
      const space = spaceOf(free, { min: 1_000 });
      expect([free, space.admits("client"), space.admits("repair")]).toEqual([
        free,
        client,
        repair,
      ]);
    }
  });

  test("what is written counts twice until the next measurement", () => {
    const space = spaceOf(1_100, { min: 1_000 });
    space.spent(50);
    expect(space.readOnly).toBe(false);
    space.spent(1);
    expect(space.readOnly).toBe(true);
    space.spent(400);
    expect(space.admits("repair")).toBe(false);
    space.measured({ freeBytes: 1_040, totalBytes: 10_000 });
    expect(space.admits("repair")).toBe(true);
  });

  test("it ends when a quarter more than the watermark is free, so that it does not flutter", () => {
    const space = spaceOf(999, { min: 1_000 });
    for (const freeBytes of [1_000, 1_249, 999, 1_249]) {
      space.measured({ freeBytes, totalBytes: 10_000 });
      expect([space.readOnly, space.isRoomy]).toEqual([true, false]);
    }
    space.measured({ freeBytes: 1_250, totalBytes: 10_000 });
    expect([space.readOnly, space.isRoomy]).toEqual([false, true]);
    space.measured({ freeBytes: 1_001, totalBytes: 10_000 });
    expect(space.readOnly).toBe(false);
  });
});
