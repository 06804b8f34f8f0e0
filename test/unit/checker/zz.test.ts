import fc from "fast-check";
import { test } from "vitest";
import { isLinearizable, isMonotonic, isWeaklyRegular } from "./support/brute-force.ts";
import { monotonicReads } from "../../../src/checker/monotonic-reads.ts";
import {
  anyHistory,
  withOneReadChanged,
  atomicHistory,
  shuffledStamps,
  withoutStamps,
} from "./support/register-histories.ts";
test("rates", () => {
  const TINY = { operationsMax: 7, keys: 1 };
  for (const [name, arb] of Object.entries({
    any: anyHistory(TINY),
    one: withOneReadChanged(TINY),
    both: fc.oneof(anyHistory(TINY), withOneReadChanged(TINY)),
    shuffled: shuffledStamps({ operationsMax: 14, keys: 2 }),
  })) {
    const c = { n: 0, len: 0, lin: 0, reg: 0, mono: 0, chk: 0 };
    const t = Date.now();
    for (const h of fc.sample(arb, 1000)) {
      c.n++;
      c.len += h.operations.length;
      if (name !== "shuffled") {
        if (!isLinearizable(h.operations)) c.lin++;
        if (!isWeaklyRegular(h.operations)) c.reg++;
        if (!isMonotonic(h.operations)) c.mono++;
      }
      if (monotonicReads(h).verdict === "false") c.chk++;
    }
    console.log(name, JSON.stringify(c), Date.now() - t);
  }
});
