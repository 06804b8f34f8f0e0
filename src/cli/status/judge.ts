import type { ClusterStatus } from "../../client/cluster-status.ts";
import type { Problem } from "../problems.ts";
import { effectProblems } from "./effect-problems.ts";
import { absentOf, effectsOf } from "./effects.ts";
import { endpointProblems } from "./endpoint-problems.ts";
import type { EndpointReport, Health } from "./examine.ts";
import { memberProblems } from "./member-problems.ts";

/** What the reports of all endpoints together say about the cluster. Pure. */
export function judge(reports: readonly EndpointReport[]): Health {
  const statuses = reports.flatMap(({ status }) => (status === null ? [] : [status]));
  const [first] = statuses;
  const absent = absentOf(statuses);
  const effects = first === undefined ? [] : effectsOf(first, absent);
  const problems = [
    ...effectProblems(effects, absent),
    ...reports.flatMap(endpointProblems),
    ...memberProblems(statuses),
    ...clockProblems(statuses),
    ...statuses.flatMap((status) => spaceProblems(status)),
    ...statuses.flatMap((status) => resyncProblems(status)),
    ...disagreements(statuses),
  ];
  if (first === undefined) {
    return { verdict: "unreachable", summary: "no node answered", problems, effects };
  }
  const ready = reports.filter(({ state }) => state === "ready").length;
  const asked = new Set(statuses.map(({ node }) => node)).size;
  const summary = `cluster ${first.clusterId}, ${ready} of ${reports.length} endpoints ready, ${asked} of ${first.members.length} members asked`;
  return { verdict: problems.length === 0 ? "healthy" : "unhealthy", summary, problems, effects };
}

/** Of clocks that differ. One whose node knows that it is wrong is told with that node's readiness. */
function clockProblems(statuses: readonly ClusterStatus[]): Problem[] {
  const confessed = new Set(
    statuses.filter(({ clockProblem }) => typeof clockProblem === "string").map(({ node }) => node),
  );
  return statuses
    .filter(({ node }) => !confessed.has(node))
    .flatMap((status) => differingClocks(status, confessed));
}

function differingClocks(
  { node, members, clockOffsetMaxMs }: ClusterStatus,
  confessed: ReadonlySet<string>,
): Problem[] {
  return members.flatMap(({ id, clockOffsetMs }) => {
    if (typeof clockOffsetMs !== "number" || confessed.has(id)) return [];
    if (Math.abs(clockOffsetMs) <= clockOffsetMaxMs) return [];
    const side = clockOffsetMs > 0 ? "ahead of" : "behind";
    return {
      what: `the clock of ${id} is ${Math.abs(clockOffsetMs)} ms ${side} that of ${node}`,
      advice: `Find out which of the two is wrong and set it right; more than ${clockOffsetMaxMs} ms from most members keep a node from coordinating.`,
    };
  });
}

function spaceProblems({ node, state }: ClusterStatus): Problem[] {
  if (state !== "read-only") return [];
  return [
    {
      what: `the disk of ${node} is nearly full: it takes no writes of clients`,
      advice: `Free some space on the disk that holds the data of ${node}; it takes writes again by itself. Reads and repairs go on.`,
    },
  ];
}

const RESYNC_CAUSES: ReadonlyMap<string, string> = new Map([
  ["new", "its directory is new, and the others have not all said yet that it is the first"],
  ["lost", "its directory was wiped, exchanged, restored, rolled back or salvaged"],
]);

/** Older nodes say nothing of it. */
function resyncProblems({ node, resync }: ClusterStatus): Problem[] {
  if (typeof resync !== "object" || resync === null) return [];
  const { cause, partitions, awaited } = resync;
  const why = RESYNC_CAUSES.get(cause) ?? cause;
  const what = `${node} answers no reads in ${partitions} partitions: ${why}`;
  if (awaited.length === 0) return [{ what, advice: "It comes back by itself." }];
  const awaits = awaited.map((one) => `from ${one.node} ${one.what}`).join("; ");
  return [
    {
      what: `${what}; it awaits ${awaits}`,
      advice: `Start or repair those nodes and it comes back by itself. If they are gone for good, start ${node} once with --accept-data-loss true: acknowledged writes that only they and its lost directory held are then gone.`,
    },
  ];
}

/** Facts that all members of one cluster share. */
const SHARED: readonly { name: string; of: (status: ClusterStatus) => string; advice: string }[] = [
  {
    name: "cluster ids",
    of: ({ clusterId }) => clusterId,
    advice: "The endpoints belong to different clusters: correct -e.",
  },
  {
    name: "epochs",
    of: ({ epoch, epochHash }) => `${epoch}/${epochHash}`,
    advice: "Members with different peer lists refuse each other: give all nodes the same --peers.",
  },
  {
    name: "cluster documents",
    of: ({ documentVersion }) => `version ${documentVersion}`,
    advice: "A member missed a change of the buckets. If this lasts, restart it.",
  },
];

function disagreements(statuses: readonly ClusterStatus[]): Problem[] {
  return SHARED.flatMap(({ name, of, advice }) => {
    const values = new Set(statuses.map(of));
    if (values.size < 2) return [];
    const sides = [...values].map((value) => {
      const nodes = statuses.filter((status) => of(status) === value).map(({ node }) => node);
      return `${value} on ${nodes.join(", ")}`;
    });
    return [{ what: `the nodes have different ${name}: ${sides.join("; ")}`, advice }];
  });
}
