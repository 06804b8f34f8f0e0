import type { Answer, Failure, Refusal } from "../answer.ts";
import type { BucketProperties } from "../bucket.ts";
import type { Stamp } from "../hlc.ts";
import type { NodeId } from "../ids.ts";
import type { ReadAnswer } from "../messages/answer.ts";
import type { RecordKey } from "../record-key.ts";
import type { Dot } from "../version/dot.ts";
import { mergeModel } from "../version/merge.ts";
import { digestOf } from "../version/record.ts";
import type { KvRecord } from "../version/record.ts";
import { readForecasts } from "./read-forecast.ts";
import type { ReadForecast } from "./read-forecast.ts";
import { dotsOf, recordFacts } from "./record-facts.ts";
import type { RecordFacts } from "./record-facts.ts";
import { relationOf } from "./relation.ts";
import type { Relation } from "./relation.ts";

/** What each replica holds of a key, how they stand to each other, and what readers would see. */
export interface Explanation {
  /** In the order of the preference list. */
  readonly replicas: readonly ReplicaFacts[];
  /** Versions of the merge of all answers: nothing newer is known. */
  readonly newest: readonly Dot[];
  /** For R from 1 to N; undefined: the replicas are too many. */
  readonly reads: readonly ReadForecast[] | undefined;
}

export type ReplicaFacts =
  | { readonly node: NodeId; readonly failure: Failure }
  | {
      readonly node: NodeId;
      readonly failure: undefined;
      /** The replica's clock when it answered. */
      readonly clock: Stamp;
      readonly relation: Relation;
      /** It holds all that is known, what is remembered of superseded writes included. */
      readonly inSync: boolean;
      readonly record: RecordFacts | undefined;
    };

export interface Answers {
  readonly key: RecordKey;
  readonly properties: BucketProperties;
  /** Of the node that asks. */
  readonly clock: Stamp;
  /** Of every replica, in the order of the preference list. */
  readonly answers: ReadonlyMap<NodeId, Answer<ReadAnswer>>;
}

/** Replicas that refuse reads for these reasons take repairs all the same. */
const TAKES_REPAIRS: ReadonlySet<Refusal> = new Set<Refusal>(["damaged-record", "resynchronising"]);

export function explain({ key, properties, clock, answers }: Answers): Explanation {
  const { mode, n, w, readRepair } = properties;
  const model = mergeModel(mode);
  const merge = (a: KvRecord, b: KvRecord) => model.merge(key, a, b);
  const known = new Map(
    [...answers].flatMap(([node, answer]) =>
      answer.kind === "ok" ? [[node, answer.value] as const] : [],
    ),
  );
  const records = new Map([...known].map(([node, { record }]) => [node, record]));
  const merged = [...records.values()].reduce(
    (all, record) =>
      all === undefined || record === undefined ? (all ?? record) : merge(all, record),
    undefined,
  );
  const factsOf = (node: NodeId, answer: Answer<ReadAnswer>): ReplicaFacts => {
    if (answer.kind !== "ok") return { node, failure: answer };
    const { record, clock: replica } = answer.value;
    const others = [...records].filter(([other]) => other !== node).map(([, held]) => held);
    return {
      node,
      failure: undefined,
      clock: replica,
      relation: relationOf({ record, others, merged, merge }),
      inSync: digestOf(record) === digestOf(merged),
      record: record && recordFacts(record, { replica, coordinator: clock }),
    };
  };
  const repairable = [...answers.values()].filter(takesRepairs).length;
  return {
    replicas: [...answers].map(([node, answer]) => factsOf(node, answer)),
    newest: dotsOf(merged),
    reads: readForecasts({ key, model, n, w, readRepair, clock, answers: known, repairable }),
  };
}

function takesRepairs(answer: Answer<unknown>): boolean {
  return answer.kind === "ok" || (answer.kind === "refused" && TAKES_REPAIRS.has(answer.reason));
}
