import { Evidence } from "./evidence.ts";
import type { Finding, History, Operation } from "./history.ts";
import { indexed } from "./indexed-history.ts";
import type { Sighting, SiblingHistory, SiblingWrite } from "./sibling-history.ts";
import { quoted, wording } from "./wording.ts";

/**
 * I6, and with it I2 to I4 for buckets that keep siblings: nothing that was acknowledged disappears
 * unless a write that had seen it superseded it. A version that was acknowledged by W replicas before a
 * get with R + W > N was called, or shown by another get with R + R' > N that had ended, is shown by
 * it, or something is that may have superseded it; so for what all replicas together hold in the end,
 * where they were dumped.
 *
 * Versions whose write renounced durability may go: power loss takes them.
 */
export function lostSiblings(history: History): Finding {
  const evidence = new Evidence("lost-siblings");
  const { siblings, replicas } = indexed(history);
  for (const key of siblings) {
    for (const get of key.gets) check(key, get, evidence);
    if (replicas.length > 0) check(key, key.final, evidence);
    else evidence.undecided();
  }
  return evidence.finding();
}

function check(key: SiblingHistory, { operation, siblings }: Sighting, evidence: Evidence): void {
  evidence.examine();
  const shown = new Set(siblings.map(({ version }) => version));
  const covered = key.maySupersede(siblings);
  for (const write of key.writes.values()) {
    if (!write.sync || shown.has(write.id) || covered.has(write)) continue;
    const proof = proofOf(write, operation);
    if (proof === undefined) continue;
    const found = siblings.map(({ version }) => quoted(version)).join(", ");
    const where =
      operation === undefined
        ? "no replica holds it in the end"
        : `the get [${operation.call}, ${operation.end}] does not show it`;
    evidence.violation(
      key.key,
      [proof, operation],
      () =>
        `${quoted(write.id)} is lost, ${wording(proof)} had told of it: ${where}, and nothing that had seen it, ` +
        `only ${found === "" ? "nothing" : found}.`,
    );
  }
}

/** Why the version is to be found by this get, or in the end. */
function proofOf(write: SiblingWrite, get: Operation | undefined): Operation | undefined {
  if (get === undefined) return write.acknowledgements[0];
  const { n, r, call } = get;
  const isBefore = ({ end = Infinity }: Operation): boolean => end < call;
  return (
    write.acknowledgements.find((it) => isBefore(it) && it.w + r > n) ??
    write.gets.find((it) => isBefore(it) && it.r + r > n)
  );
}
