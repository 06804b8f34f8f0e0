import { Evidence } from "./evidence.ts";
import type { Finding, History } from "./history.ts";
import { indexed } from "./indexed-history.ts";
import type { KeyHistory } from "./key-history.ts";
import { quoted, wording } from "./wording.ts";

/**
 * I8: a version all of whose attempts were answered `not-applied` is never read and no replica holds
 * it in the end. (Elsewhere: an aborted read.)
 */
export function outcomeHonesty(history: History): Finding {
  const evidence = new Evidence("outcome-honesty");
  for (const key of indexed(history).keys.values()) checkKey(key, evidence);
  return evidence.finding();
}

function checkKey(key: KeyHistory, evidence: Evidence): void {
  for (const version of key.versions.values()) {
    const { attempts, reads } = version;
    if (attempts.length === 0 || version.effective > 0) continue;
    evidence.examine();
    const refused = attempts[0];
    const read = reads[0];
    const held = key.finals.find((it) => it.version === version);
    if (read !== undefined) {
      evidence.violation(
        key.key,
        [refused, read],
        () => `${wording(refused)}, and yet it was read: ${wording(read)}.`,
      );
    } else if (held !== undefined) {
      evidence.violation(
        key.key,
        [refused],
        () => `${wording(refused)}, and yet replica ${held.node} holds ${quoted(version.id)}.`,
      );
    }
  }
}
