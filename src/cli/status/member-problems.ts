import type { ClusterStatus } from "../../client/cluster-status.ts";
import type { Problem } from "../problems.ts";

/** How one member looks from another. */
interface Sight {
  readonly from: string;
  readonly to: string;
  readonly peerAddress: string;
  readonly reason: string | null;
}

/** A member that several do not reach is one problem. */
export function memberProblems(statuses: readonly ClusterStatus[]): Problem[] {
  const told = (state: string, problem: (sights: Sights) => Problem) =>
    byTarget(statuses, state).map(problem);
  return [...told("unreachable", unreachable), ...told("suspect", suspect)];
}

type Sights = readonly [Sight, ...Sight[]];

function byTarget(statuses: readonly ClusterStatus[], state: string): readonly Sights[] {
  const sights = new Map<string, Sights>();
  for (const { node, members } of statuses) {
    for (const { id, peerAddress, reason, ...member } of members) {
      if (member.state !== state) continue;
      const sight = { from: node, to: id, peerAddress, reason };
      const earlier = sights.get(id);
      sights.set(id, earlier === undefined ? [sight] : [...earlier, sight]);
    }
  }
  return [...sights.values()];
}

function unreachable(sights: Sights): Problem {
  const [{ to, peerAddress }] = sights;
  const verb = sights.length === 1 ? "does not reach" : "do not reach";
  return {
    what: `${sources(sights)} ${verb} ${to} at ${peerAddress}${reasons(sights)}`,
    advice: `If ${to} runs, check that its peer port can be reached from ${sources(sights)} and that all have the same secret, cluster id and peer list.`,
  };
}

function suspect(sights: Sights): Problem {
  const [{ to }] = sights;
  const verb = sights.length === 1 ? "asks" : "ask";
  return {
    what: `${sources(sights)} ${verb} ${to} last${reasons(sights)}`,
    advice: `Requests go to other replicas meanwhile. If this lasts, look at the load and the disk of ${to} and at the network between them.`,
  };
}

function sources(sights: Sights): string {
  return sights.map(({ from }) => from).join(", ");
}

function reasons(sights: Sights): string {
  const all = new Set(sights.flatMap(({ reason }) => (reason === null ? [] : [reason])));
  return all.size === 0 ? "" : `: ${[...all].join("; ")}`;
}
