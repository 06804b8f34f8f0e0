import { Evidence } from "./evidence.ts";
import type { Finding, History } from "./history.ts";
import { indexed } from "./indexed-history.ts";
import type { Sighting, SiblingHistory } from "./sibling-history.ts";
import { quoted } from "./wording.ts";

/**
 * What stands beside each other is concurrent: a version is never seen beside one that its writer had
 * seen, be it by the context that was sent or, where blind writes overwrite, because enough replicas had
 * shown it before they were called. No write is seen twice in one place.
 */
export function falseSiblings(history: History): Finding {
  const evidence = new Evidence("false-siblings");
  for (const key of indexed(history).siblings) {
    for (const sighting of key.gets) check(key, sighting, evidence);
    for (const held of key.records) checkSuperseded(key, { siblings: held }, evidence);
  }
  return evidence.finding();
}

function check(key: SiblingHistory, sighting: Sighting, evidence: Evidence): void {
  const { operation, siblings } = sighting;
  const versions = new Set(siblings.map(({ version }) => version));
  if (versions.size < siblings.length) {
    evidence.violation(
      key.key,
      [operation],
      () => `The get [${operation?.call}, ${operation?.end}] shows one write twice.`,
    );
  }
  checkSuperseded(key, sighting, evidence);
}

function checkSuperseded(
  key: SiblingHistory,
  { operation, siblings }: Pick<Sighting, "siblings"> & Partial<Sighting>,
  evidence: Evidence,
): void {
  if (siblings.length < 2) return;
  evidence.examine();
  for (const sibling of siblings) {
    const others = siblings.filter((other) => other !== sibling);
    for (const other of key.superseded(sibling, others)) {
      const write = key.writes.get(sibling.version)?.attempts[0];
      const where =
        operation === undefined ? "A replica" : `The get [${operation.call}, ${operation.end}]`;
      evidence.violation(
        key.key,
        [write, operation],
        () =>
          `${where} has ${quoted(other.version)} (${other.dot}) beside ${quoted(sibling.version)} (${sibling.dot}), ` +
          `whose writer had seen it.`,
      );
    }
  }
}
