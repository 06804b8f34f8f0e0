import { Evidence } from "./evidence.ts";
import type { Finding, History } from "./history.ts";
import { indexed } from "./indexed-history.ts";
import type { KeyHistory } from "./key-history.ts";
import { quoted } from "./wording.ts";

/**
 * I10, and I1 for what reads have touched: in the end all N replicas of a key hold equal bytes. A
 * history does not say which nodes these are; it does say how many they are, so a key that fewer
 * than N nodes hold is missing somewhere. Without dumps of the replicas nothing is proven.
 */
export function convergence(history: History): Finding {
  const evidence = new Evidence("convergence");
  const { keys, replicas } = indexed(history);
  for (const key of keys.values()) {
    if (replicas.length === 0) evidence.undecided();
    else checkKey(key, evidence);
  }
  return evidence.finding();
}

function checkKey(key: KeyHistory, evidence: Evidence): void {
  const { finals, n } = key;
  const first = finals[0];
  if (first === undefined) return;
  evidence.examine();
  const other = finals.find((it) => it.record.digest !== first.record.digest);
  if (other !== undefined) {
    const same = other.record.version === first.record.version ? " of the same version" : "";
    evidence.violation(
      key.key,
      [first.version.attempted, other.version.attempted],
      () =>
        `Replicas hold different bytes${same}: ${first.node} ${quoted(first.record.version)} with digest ` +
        `${first.record.digest}, ${other.node} ${quoted(other.record.version)} with digest ${other.record.digest}.`,
    );
  } else if (finals.length < n) {
    const nodes = finals.map((it) => it.node).join(", ");
    evidence.violation(
      key.key,
      [first.version.attempted],
      () => `${finals.length} of ${n} replicas hold the key: only ${nodes}.`,
    );
  }
}
