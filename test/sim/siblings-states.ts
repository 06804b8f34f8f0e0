import type { Operation, ReplicaState, SeenSibling } from "../../src/checker/history.ts";
import type { World } from "./world.ts";

/** An actor is a directory, and how often it began anew, 8 and 4 bytes in hex. */
const DIRECTORY_HEX = 16;

/** What came up in a run on a bucket that keeps siblings. */
export function countSiblings(
  { operations, machines, sometimes }: World,
  replicas: readonly ReplicaState[],
): void {
  const conflicts = new Set<string>();
  for (const { kind, key, causality } of operations) {
    const siblings = causality?.siblings ?? [];
    if (kind !== "get" || siblings.length < 2) continue;
    sometimes.note("a read showed siblings");
    if (siblings.some(isDelete) && !siblings.every(isDelete)) {
      sometimes.note("a delete stood beside a value");
    }
    conflicts.add(`${key} ${causality?.context}`);
  }
  sometimes.note("siblings were merged", operations.filter(isMerge(conflicts)).length);
  for (const { id: self, telemetry } of machines) {
    sometimes.note("a write among siblings was recognised", telemetry.count("knownWrites"));
    for (const { id } of machines) {
      const minted = telemetry.count("replicaAnswers", id, "mint", "ok");
      if (id !== self) sometimes.note("a write was forwarded to who minted it", minted);
    }
  }
  countDots(replicas, operations, sometimes);
}

function countDots(
  replicas: readonly ReplicaState[],
  operations: readonly Operation[],
  sometimes: World["sometimes"],
): void {
  const held = replicas.flatMap(({ records }) => [...records.values()]);
  for (const { siblings = [] } of held) {
    if (new Set(siblings.map(({ version }) => version)).size < siblings.length) {
      sometimes.note("a write of two dots was held");
    }
  }
  const shown = operations.flatMap(({ causality }) => causality?.siblings ?? []);
  const actors = new Set(shown.map(({ dot }) => dot.slice(0, dot.indexOf("-"))));
  const directories = new Set([...actors].map((actor) => actor.slice(0, DIRECTORY_HEX)));
  sometimes.note("a node minted as somebody new", actors.size - directories.size);
}

function isDelete({ version, expired }: SeenSibling): boolean {
  return expired || version.endsWith(" deleted");
}

function isMerge(conflicts: ReadonlySet<string>): (operation: Operation) => boolean {
  return ({ kind, key, outcome, causality }) =>
    kind !== "get" && outcome === "ok" && conflicts.has(`${key} ${causality?.sent}`);
}
