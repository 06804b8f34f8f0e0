import { AllAnswers } from "../core/explain/all-answers.ts";
import { explain } from "../core/explain/explanation.ts";
import type { BucketProperties } from "../core/bucket.ts";
import type { NodeId } from "../core/ids.ts";
import type { ReadAnswer } from "../core/messages/answer.ts";
import type { RecordKey } from "../core/record-key.ts";
import type { ExplainResult } from "../ports/operations.ts";
import type { Stamps } from "../ports/stamps.ts";
import type { Deadline } from "./deadline.ts";
import { Round } from "./round.ts";
import type { RoundModules } from "./round.ts";

interface ExplainPlan {
  readonly key: RecordKey;
  readonly properties: BucketProperties;
  readonly preferenceList: readonly NodeId[];
  readonly deadline: Deadline;
}

interface ExplainModules extends RoundModules {
  readonly spareDelayMs: number;
  readonly stamps: Stamps;
}

/**
 * Asks all N replicas for their records and judges what came by the deadline. No quorum vouches for
 * it, so it is no read; nothing is written, so it shows what is there and not what it made of it.
 */
export async function explainKey(
  plan: ExplainPlan,
  modules: ExplainModules,
): Promise<ExplainResult> {
  const { key, properties, preferenceList, deadline } = plan;
  const answers = new AllAnswers<ReadAnswer>(preferenceList);
  const round = new Round<ReadAnswer>(
    {
      name: "explain",
      replicas: preferenceList,
      first: preferenceList.length,
      quorum: answers,
      deadline,
      ask: (replica, onAnswer) => replica.read(key, deadline.at, onAnswer),
    },
    modules.spareDelayMs,
    modules,
  );
  await round.run();
  const clock = modules.stamps.reading();
  return { ...explain({ key, properties, clock, answers: answers.all() }), clock };
}
