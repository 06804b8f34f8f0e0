import type { Problem } from "../problems.ts";
import type { EndpointReport } from "./examine.ts";

export function endpointProblems({ endpoint, state, reason, status }: EndpointReport): Problem[] {
  const why = reason === null ? "" : `: ${reason}`;
  switch (state) {
    case "ready":
      return [];
    case "not-ready":
      return [notReady({ endpoint, status, why })];
    case "no-node":
      return [
        {
          what: `${endpoint} answers, but not as a node does${why}`,
          advice:
            "A proxy passes on keys and nothing else, and may be well: name the client ports of the nodes behind it with -e. If it is no proxy, correct -e.",
        },
      ];
    case "unreachable":
      return [
        {
          what: `${endpoint} gave no answer${why}`,
          advice: "Start the node, or correct -e if this is not its client port.",
        },
      ];
  }
}

function notReady({
  endpoint,
  status,
  why,
}: Pick<EndpointReport, "endpoint" | "status"> & { readonly why: string }): Problem {
  if (typeof status?.clockProblem === "string") {
    return {
      what: `${endpoint} coordinates neither writes nor reads${why}`,
      advice: `Set the clock of ${status.node} right (\`chronyc tracking\` or \`timedatectl\` show it) and keep it so by NTP; the node serves again by itself.`,
    };
  }
  if (status?.state === "draining") {
    return {
      what: `${endpoint} drains: ${status.node} ends the requests under way and takes no new ones`,
      advice: `It was told to stop. Start it again when its maintenance is done; until then clients go to the other nodes.`,
    };
  }
  return {
    what: `${endpoint} does not take requests now${why}`,
    advice: "If this lasts, read its log.",
  };
}
