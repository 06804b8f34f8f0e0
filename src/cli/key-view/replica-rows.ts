import type {
  ExplainedReplica,
  KeyExplanation,
  PlacedReplica,
} from "../../client/key-explanation.ts";
import { sizeText } from "./version-lines.ts";
import type { VersionLabels } from "./version-labels.ts";

export const REPLICA_HEAD = [
  "",
  "REPLICA",
  "ZONE",
  "ADDRESS",
  "HOLDS",
  "RELATION",
  "SIZE",
  "DIGEST",
  "REMEMBERS",
];

/** One row a replica, in the order of the preference list; `*` marks who holds the newest. */
export function replicaRows(
  { preferenceList, replicas }: KeyExplanation,
  labels: VersionLabels,
): readonly (readonly string[])[] {
  return replicas.map((replica) => {
    const placed = preferenceList.find(({ node }) => node === replica.node);
    const { node, record } = replica;
    const isNewest = replica.relation === "equal" && record !== null;
    return [
      isNewest ? "*" : "",
      node,
      placed?.zone ?? "-",
      placed?.peerAddress ?? "-",
      holdsText(replica, labels),
      relationText(replica),
      record === null ? "-" : sizeText(record.bytes),
      record === null ? "-" : record.digest,
      record === null ? "-" : writesText(record.recentWrites),
    ];
  });
}

export const PLACEMENT_HEAD = ["#", "REPLICA", "ZONE", "ADDRESS", "STATE"];

export function placementRows(list: readonly PlacedReplica[]): readonly (readonly string[])[] {
  return list.map(({ node, zone, peerAddress, state, reason }, index) => [
    String(index + 1),
    node,
    zone ?? "-",
    peerAddress,
    reason === null ? state : `${state}: ${reason}`,
  ]);
}

export function holdsText(replica: ExplainedReplica, labels: VersionLabels): string {
  if (replica.answer !== "ok") return "?";
  const dots = replica.record?.versions.map(({ dot }) => dot) ?? [];
  return dots.length === 0 ? "nothing" : labels.of(dots);
}

export function relationText({ answer, reason, relation, inSync }: ExplainedReplica): string {
  if (answer !== "ok") return `no answer: ${reason ?? "it did not say why"}`;
  return `${relation ?? "?"}${relation === "equal" && !inSync ? ", remembers less" : ""}`;
}

function writesText(count: number): string {
  return count === 1 ? "1 write" : `${count} writes`;
}
