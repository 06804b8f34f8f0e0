import type { ExplainedReplica, KeyExplanation } from "../../client/key-explanation.ts";
import type { Output } from "../output.ts";
import { holdsText, relationText } from "./replica-rows.ts";
import { VersionLabels } from "./version-labels.ts";
import { versionLines } from "./version-lines.ts";

const HEAD = ["REPLICA", "HELD", "HOLDS", "RELATION"];

/** Nodes whose record is another one now. */
export function changedReplicas(before: KeyExplanation, after: KeyExplanation): readonly string[] {
  const held = new Map(before.replicas.map((replica) => [replica.node, replica]));
  return after.replicas
    .filter((replica) => isChanged(held.get(replica.node), replica))
    .map(({ node }) => node);
}

function isChanged(before: ExplainedReplica | undefined, after: ExplainedReplica): boolean {
  if (before?.answer !== "ok" || after.answer !== "ok") return false;
  return before.record?.digest !== after.record?.digest;
}

export async function printRepair(
  output: Output,
  before: KeyExplanation,
  after: KeyExplanation,
): Promise<void> {
  const { green, red, yellow } = output.colors;
  const replicas = [...before.replicas, ...after.replicas];
  const labels = new VersionLabels({ replicas, newest: after.newest });
  const held = new Map(before.replicas.map((replica) => [replica.node, replica]));
  const changed = changedReplicas(before, after);
  const rows = after.replicas.map((replica) => {
    const earlier = held.get(replica.node);
    return [
      replica.node,
      earlier === undefined ? "?" : holdsText(earlier, labels),
      holdsText(replica, labels),
      `${relationText(replica)}${changed.includes(replica.node) ? ", repaired" : ""}`,
    ];
  });
  await output.table(HEAD, rows, (line, row) => {
    const replica = after.replicas[row];
    if (replica?.answer !== "ok") return red(line);
    if (!replica.inSync) return yellow(line);
    return changed.includes(replica.node) ? green(line) : line;
  });
  if (labels.versions.length > 0) {
    await output.data(`\n${versionLines(after, labels).join("\n")}\n`);
  }
  if (changed.length === 0 && after.replicas.every(({ inSync }) => inSync)) {
    await output.note("the replicas were alike already");
  }
}
