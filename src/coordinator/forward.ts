import type { CausalContext } from "../core/causal/causal-context.ts";
import type { KvError } from "../core/errors.ts";
import type { NodeId } from "../core/ids.ts";
import type { MintAnswer } from "../core/messages/mint.ts";
import { MintQuorum } from "../core/quorum/mint-quorum.ts";
import { when, writeFailure } from "./replicate.ts";
import type { ReplicateModules, WritePlan } from "./replicate.ts";
import { askingOrder, Round } from "./round.ts";
import type { RoundEnd } from "./round.ts";
import type { Written } from "./write.ts";

export interface ForwardPlan extends WritePlan {
  /** undefined: the client sent none. */
  readonly context: CausalContext | undefined;
}

export interface Forwarded extends Written {
  readonly context: CausalContext;
}

/**
 * Has a write of a siblings bucket done by a replica of its key, so that there are no more actors than
 * replicas: by this node if it is one and can, else by the first of the others that can be reached.
 * A further one is asked only when it is proven that those before did nothing. One that is silent may
 * do the write still, long after another did and was acknowledged, and would supersede what was
 * acknowledged since (found by the simulator).
 *
 * @throws KvError as the replica that did it met it; `write-unavailable` when all refused;
 * `write-unknown` when one of them may have done it.
 */
export async function forward(plan: ForwardPlan, modules: ReplicateModules): Promise<Forwarded> {
  const order = askingOrder(modules.replicas, plan.preferenceList);
  const self = order.filter((node) => node === modules.replicas.self);
  let refusal: KvError | undefined;
  for (const replica of [...self, ...order.filter((node) => !self.includes(node))]) {
    const asked = await ask(plan, replica, modules);
    if (asked.kind === "written") return asked.written;
    refusal ??= asked.refusal;
  }
  throw refused(plan, refusal);
}

type Asked =
  | { readonly kind: "written"; readonly written: Forwarded }
  /** Proven: it applied nothing. */
  | { readonly kind: "refused"; readonly refusal: KvError | undefined };

async function ask(plan: ForwardPlan, replica: NodeId, modules: ReplicateModules): Promise<Asked> {
  const { key, deadline, content, ttlSeconds, attempt, durability, w, context } = plan;
  const { writeId } = plan.identity;
  const request = { key, writeId, content, ttlSeconds, attempt, durability, w, context };
  const quorum = new MintQuorum();
  const round = new Round<MintAnswer>(
    {
      name: "mint",
      replicas: [replica],
      first: 1,
      quorum,
      deadline,
      ask: (asked, onAnswer) =>
        asked.mint(request, deadline.at, (answer) => onAnswer(quorum.judge(answer))),
    },
    modules.spareDelayMs,
    modules,
  );
  const end = await round.run();
  if (quorum.end?.kind === "written") {
    const { stamp, acked } = quorum.end;
    return {
      kind: "written",
      written: { version: { stamp, writeId }, acked, context: quorum.end.context },
    };
  }
  if (quorum.end !== undefined) throw quorum.end.error;
  const outcome = quorum.failedOutcome();
  if (outcome === "unknown" || end === "deadline") {
    throw unanswered(plan, { outcome, end, failures: round.failures });
  }
  return { kind: "refused", refusal: quorum.refusal };
}

function unanswered(
  plan: ForwardPlan,
  facts: { outcome: "not-applied" | "unknown"; end: RoundEnd; failures: string },
): KvError {
  return writeFailure(plan, {
    outcome: facts.outcome,
    needed: plan.w,
    acked: 0,
    detail: `no replica that was to mint the write answered${when(facts.end)}${facts.failures}`,
  });
}

function refused(plan: ForwardPlan, refusal: KvError | undefined): KvError {
  if (refusal !== undefined) return refusal;
  return writeFailure(plan, {
    outcome: "not-applied",
    needed: plan.w,
    acked: 0,
    detail: "no replica of the key can mint its version; nothing was sent to be written",
  });
}
