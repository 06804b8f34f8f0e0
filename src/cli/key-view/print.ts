import type { KeyExplanation, KeyPlacement } from "../../client/key-explanation.ts";
import type { Output } from "../output.ts";
import { READ_HEAD, readRows } from "./read-rows.ts";
import { PLACEMENT_HEAD, placementRows, REPLICA_HEAD, replicaRows } from "./replica-rows.ts";
import { VersionLabels } from "./version-labels.ts";
import { versionLines } from "./version-lines.ts";

/** `'greeting' in bucket default: partition 17, …` */
export function printTitle(output: Output, name: string, placement: KeyPlacement): Promise<void> {
  const { partition, epoch, mode, n, r, w, node } = placement;
  const { bold } = output.colors;
  return output.data(
    `${bold(name)}: partition ${partition}, epoch ${epoch}, ${mode}, N=${n} R=${r} W=${w}, told by ${node}\n\n`,
  );
}

export function printPlacement(output: Output, { preferenceList }: KeyPlacement): Promise<void> {
  const { red } = output.colors;
  return output.table(PLACEMENT_HEAD, placementRows(preferenceList), (line, row) =>
    preferenceList[row]?.state === "unreachable" ? red(line) : line,
  );
}

/** Replicas, versions, reads. */
export async function printExplanation(output: Output, explained: KeyExplanation): Promise<void> {
  const labels = new VersionLabels(explained);
  const { red, yellow, green } = output.colors;
  const paint = (line: string, row: number): string => {
    const replica = explained.replicas[row];
    if (replica?.answer !== "ok") return red(line);
    if (!replica.inSync) return yellow(line);
    return replica.record === null ? line : green(line);
  };
  await output.table(REPLICA_HEAD, replicaRows(explained, labels), paint);
  if (labels.versions.length > 0) {
    await output.data(`\n${versionLines(explained, labels).join("\n")}\n`);
  }
  if (explained.reads === null) return;
  await output.data("\n");
  await output.table(READ_HEAD, readRows(explained, labels));
}
