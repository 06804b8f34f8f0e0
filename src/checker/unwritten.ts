import { Evidence } from "./evidence.ts";
import type { Finding, History } from "./history.ts";
import { indexed } from "./indexed-history.ts";
import type { KeyHistory } from "./key-history.ts";
import { quoted, wording } from "./wording.ts";

/**
 * No value out of thin air and none from the future: every version that was read, or that a replica
 * holds in the end, was attempted under that key by an operation called no later than the get ended.
 */
export function unwritten(history: History): Finding {
  const evidence = new Evidence("unwritten");
  for (const key of indexed(history).keys.values()) checkKey(key, evidence);
  return evidence.finding();
}

function checkKey(key: KeyHistory, evidence: Evidence): void {
  evidence.examine(key.reads.length + key.finals.length);
  for (const { operation, version } of key.reads) {
    if (version === key.nothing) continue;
    if (version.attempts.length === 0) {
      evidence.violation(
        key.key,
        [operation],
        () => `${wording(operation)}: nobody attempted to write it.`,
      );
    } else if (version.attemptedAt > (operation.end ?? Infinity)) {
      const write = version.attempted;
      evidence.violation(
        key.key,
        [operation, write],
        () => `${wording(operation)} ended before its write was called: ${wording(write)}.`,
      );
    }
  }
  for (const { node, version } of key.finals) {
    if (version.attempts.length > 0) continue;
    evidence.violation(
      key.key,
      version.reads.slice(0, 1),
      () => `Replica ${node} holds ${quoted(version.id)}: nobody attempted to write it.`,
    );
  }
}
