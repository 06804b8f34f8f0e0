import { Evidence } from "./evidence.ts";
import type { Finding, History, SeenSibling } from "./history.ts";
import { indexed } from "./indexed-history.ts";
import { quoted } from "./wording.ts";

/** A dot names one version for ever: an actor that forgot what it minted does not mint it again. */
export function oneDot(history: History): Finding {
  const evidence = new Evidence("one-dot");
  for (const { key, gets, records } of indexed(history).siblings) {
    const named = new Map<string, SeenSibling>();
    for (const siblings of [...gets.map((get) => get.siblings), ...records]) {
      for (const sibling of siblings) {
        const before = named.get(sibling.dot);
        if (before === undefined) named.set(sibling.dot, sibling);
        else if (before.version !== sibling.version || before.stamp !== sibling.stamp) {
          evidence.violation(
            key,
            [],
            () =>
              `${sibling.dot} is ${quoted(before.version)}, and it is ${quoted(sibling.version)}.`,
          );
        }
      }
    }
    evidence.examine(named.size);
  }
  return evidence.finding();
}
