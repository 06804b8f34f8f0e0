import { expect, test } from "vitest";
import { Sometimes } from "../../../src/checker/sometimes.ts";

test("states are counted, over several runs too; required ones that never came up are named", () => {
  const run = new Sometimes();
  run.note("a stale replica was seen");
  run.note("a stale replica was seen");
  run.note("a read was repaired", 0);
  const campaign = new Sometimes();
  campaign.note("a quorum was refused");
  campaign.add(run);
  expect([...campaign.counts]).toEqual([
    ["a quorum was refused", 1],
    ["a stale replica was seen", 2],
  ]);
  const required = ["a read was repaired", "a stale replica was seen"];
  expect(campaign.never(required)).toEqual(["a read was repaired"]);
});
