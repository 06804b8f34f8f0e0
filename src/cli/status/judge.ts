import type { ClusterStatus } from "../../client/cluster-status.ts";
import type { EndpointReport, Health, Problem } from "./examine.ts";

/** What the reports of all endpoints together say about the cluster. Pure. */
export function judge(reports: readonly EndpointReport[]): Health {
  const statuses = reports.flatMap(({ status }) => (status === null ? [] : [status]));
  const [first] = statuses;
  const problems = [
    ...reports.flatMap(endpointProblems),
    ...statuses.flatMap((status) => memberProblems(status)),
    ...disagreements(statuses),
  ];
  if (first === undefined) {
    return { verdict: "unreachable", summary: "no endpoint answered", problems };
  }
  const ready = reports.filter(({ state }) => state === "ready").length;
  const asked = new Set(statuses.map(({ node }) => node)).size;
  const summary = `cluster ${first.clusterId}, ${ready} of ${reports.length} endpoints ready, ${asked} of ${first.members.length} members asked`;
  return { verdict: problems.length === 0 ? "healthy" : "unhealthy", summary, problems };
}

function endpointProblems({ endpoint, state, reason }: EndpointReport): Problem[] {
  const why = reason === null ? "" : `: ${reason}`;
  if (state === "ready") return [];
  if (state === "not-ready") {
    return [
      {
        what: `${endpoint} does not take requests now${why}`,
        advice: "It is starting or stopping. If this lasts, read its log.",
      },
    ];
  }
  return [
    {
      what: `${endpoint} gave no answer${why}`,
      advice: "Start the node, or correct -e if this is not its client port.",
    },
  ];
}

function memberProblems({ node, members }: ClusterStatus): Problem[] {
  return members
    .filter(({ state }) => state === "unreachable")
    .map(({ id, peerAddress, reason }) => ({
      what: `${node} does not reach ${id} at ${peerAddress}${reason === null ? "" : `: ${reason}`}`,
      advice: `If ${id} runs, check that its peer port can be reached from ${node} and that both have the same secret, cluster id and peer list.`,
    }));
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
