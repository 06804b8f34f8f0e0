import { expect, test } from "vitest";
import { assert, AssertionError } from "../../../src/core/assert.ts";

test("a condition that holds passes in silence", () => {
  expect(() => assert(1 + 1 === 2, "arithmetic")).not.toThrow();
});

test.each([false, 0, "", undefined, null])("%j throws an AssertionError with its message", (it) => {
  expect(() => assert(it, "what must hold")).toThrow(new AssertionError("what must hold"));
});
