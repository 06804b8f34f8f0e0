import { describe, expect, test } from "vitest";
import { closeUnknown } from "../../../src/checker/close-unknown.ts";
import { get, put, refused, remove } from "./support/operations.ts";

describe("what becomes of operations whose outcome is unknown", () => {
  test("a write that was never read is dropped", () => {
    const read = get("b", 3, 4);
    const written = put("b", 1, 2);
    expect(closeUnknown([put("a", 0), written, read])).toEqual([written, read]);
  });

  test("a write that was read is closed at the earliest end of a get that saw it", () => {
    const reads = [get("a", 3, 9), get("a", 4, 5), get("a", 6, 7)];
    expect(closeUnknown([put("a", 0), ...reads])).toEqual([put("a", 0, 5), ...reads]);
  });

  test("so is a delete, whose tombstone has an identity too", () => {
    const read = get("d", 3, 4);
    expect(closeUnknown([remove("d", 0), read])).toEqual([remove("d", 0, 4), read]);
  });

  test("a get of the same identity under another key closes nothing", () => {
    const elsewhere = get("a", 3, 4, { key: "other" });
    expect(closeUnknown([put("a", 0), elsewhere])).toEqual([elsewhere]);
  });

  test("a get that was not answered is dropped, as is a write without effect", () => {
    const unanswered = get(undefined, 0, 9, { outcome: "unknown" });
    const failed = get(undefined, 0, 9, { outcome: "not-applied" });
    expect(closeUnknown([unanswered, failed, refused("a", 0, 1)])).toEqual([]);
  });

  test("a get without answer closes nothing, whatever it claims to have seen", () => {
    const claimed = get("a", 1, 2, { outcome: "unknown" });
    expect(closeUnknown([put("a", 0), claimed])).toEqual([]);
  });

  test("a get that ended before the call does not turn the interval around", () => {
    const early = get("a", 0, 1);
    expect(closeUnknown([early, put("a", 5)])).toEqual([early, put("a", 5, 5)]);
  });

  test("one of two attempts with one version stays open, for the get may have seen the other", () => {
    const [acknowledged, open, read] = [put("a", 0, 1), put("a", 0), get("a", 2, 3)];
    expect(closeUnknown([acknowledged, open, read])).toEqual([acknowledged, open, read]);
  });
});
