import { Evidence } from "./evidence.ts";
import type { Finding, History } from "./history.ts";
import { indexed } from "./indexed-history.ts";

/**
 * Each of the N replicas that mints stops at `siblingsMax` of its own, so there are never more than
 * N times as many, and those only where replicas could not hear each other.
 */
export function siblingBound(history: History): Finding {
  const evidence = new Evidence("sibling-bound");
  for (const key of indexed(history).siblings) {
    for (const { operation, siblings } of key.gets) {
      if (operation?.causality === undefined) continue;
      evidence.examine();
      const most = operation.n * operation.causality.siblingsMax;
      if (siblings.length <= most) continue;
      evidence.violation(
        key.key,
        [operation],
        () =>
          `The get [${operation.call}, ${operation.end}] shows ${siblings.length} siblings, over ${most}.`,
      );
    }
  }
  return evidence.finding();
}
