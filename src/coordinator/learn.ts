import type { NodeId } from "../core/ids.ts";
import type { LearnAnswer } from "../core/messages/answer.ts";
import { LearnQuorum, learnQuorumLeast, learnQuorumSize } from "../core/quorum/learn-quorum.ts";
import { when, writeFailure } from "./replicate.ts";
import type { ReplicateModules, WritePlan } from "./replicate.ts";
import { Round } from "./round.ts";

/**
 * The first round of a write, in this order: nothing is minted before L replicas told the newest stamp
 * of the key and whether they know the write.
 *
 * @throws KvError `write-unavailable`, or `write-unknown` for a further attempt.
 */
export async function learn(
  plan: WritePlan,
  order: readonly NodeId[],
  modules: ReplicateModules,
): Promise<Pick<LearnQuorum, "newest" | "seen" | "witnesses">> {
  const { key, deadline, identity, r, w } = plan;
  const size = { n: order.length, r, w };
  const needed = learnQuorumSize(size);
  const quorum = new LearnQuorum({ replicas: order, needed, least: learnQuorumLeast(size) });
  const question = { key, idHash: identity.idHash };
  const round = new Round<LearnAnswer>(
    {
      name: "learn",
      replicas: order,
      first: needed,
      quorum,
      deadline,
      ask: (replica, onAnswer) => replica.learn(question, deadline.at, onAnswer),
    },
    modules.spareDelayMs,
    modules,
  );
  const end = await round.run();
  if (end === "met") return quorum;
  throw writeFailure(plan, {
    outcome: "not-applied",
    needed,
    acked: quorum.acked,
    detail: `${quorum.acked} of the ${needed} replicas that must be asked first answered${when(end)}${round.failures}; nothing was sent to be written`,
  });
}
