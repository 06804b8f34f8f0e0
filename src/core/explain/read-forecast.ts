import { assert } from "../assert.ts";
import type { ReadRepair } from "../bucket.ts";
import type { Stamp } from "../hlc.ts";
import type { NodeId } from "../ids.ts";
import type { ReadAnswer } from "../messages/answer.ts";
import { ReadQuorum, writeBackQuorumSize } from "../quorum/read-quorum.ts";
import type { RecordKey } from "../record-key.ts";
import { dotOf, dotText } from "../version/dot.ts";
import type { Dot } from "../version/dot.ts";
import type { MergeModel } from "../version/merge-model.ts";
import type { KvRecord } from "../version/record.ts";
import { viewOf } from "../version/view.ts";

/** Replicas beyond which their sets are too many to go through: 2^7 of them are. */
export const FORECAST_REPLICAS_MAX = 7;

/** What a reader would be told, or with which error the read would fail. */
export type ReadOutcome =
  | "found"
  | "siblings"
  | "deleted"
  | "expired"
  | "absent"
  | "read-unavailable"
  | "read-unconfirmed";

export interface ReadResult {
  readonly outcome: ReadOutcome;
  /** Versions that the read would go by, also when they are over. */
  readonly versions: readonly Dot[];
  /** The read would write the merge of its answers back. */
  readonly repairs: boolean;
  /** The sets of R replicas whose answers come to this. */
  readonly from: readonly (readonly NodeId[])[];
}

/** All that a read of R replicas may come to now; which of it depends on who answers first. */
export interface ReadForecast {
  readonly r: number;
  readonly results: readonly ReadResult[];
}

export interface ForecastInput {
  readonly key: RecordKey;
  readonly model: MergeModel;
  readonly n: number;
  readonly w: number;
  readonly readRepair: ReadRepair;
  /** Of the node that asks. */
  readonly clock: Stamp;
  /** In the order of the preference list. */
  readonly answers: ReadonlyMap<NodeId, ReadAnswer>;
  /** Replicas that would take a repair; more than answer reads, perhaps. */
  readonly repairable: number;
}

/**
 * Decided by the code that decides of real reads, for every set of replicas that answer.
 * @returns undefined above {@link FORECAST_REPLICAS_MAX}.
 */
export function readForecasts(input: ForecastInput): readonly ReadForecast[] | undefined {
  const nodes = [...input.answers.keys()];
  if (nodes.length > FORECAST_REPLICAS_MAX) return undefined;
  return Array.from({ length: input.n }, (_, i) => {
    const r = i + 1;
    const results = combinations(nodes, r).map((from) => resultOf(input, from));
    return { r, results: results.length === 0 ? [UNAVAILABLE] : grouped(results) };
  });
}

const UNAVAILABLE: ReadResult = {
  outcome: "read-unavailable",
  versions: [],
  repairs: false,
  from: [],
};

/** Every choice of `count` items, in their order. */
function combinations<T>(items: readonly T[], count: number): readonly (readonly T[])[] {
  if (count === 0) return [[]];
  return items.flatMap((item, i) =>
    combinations(items.slice(i + 1), count - 1).map((rest) => [item, ...rest]),
  );
}

function resultOf(input: ForecastInput, from: readonly NodeId[]): ReadResult {
  const { answers, key, model } = input;
  const quorum = new ReadQuorum(key, { replicas: from, needed: from.length }, model);
  for (const node of from) {
    const value = answers.get(node);
    assert(value !== undefined, "only replicas that answered are combined");
    quorum.add(node, { kind: "ok", value });
  }
  const action = quorum.finalAction();
  assert(action.kind !== "fetch", "all answers are records");
  const { record } = action;
  const clock = quorum.clock > input.clock ? quorum.clock : input.clock;
  const repairs = action.kind === "write-back";
  const result = { ...shown(record, clock), repairs, from: [from] };
  const unconfirmed = repairs && !canConfirm(input, from.length);
  return unconfirmed ? { ...result, outcome: "read-unconfirmed" } : result;
}

/** Whether a read that must write back would find enough replicas for it. */
function canConfirm({ n, w, readRepair, repairable }: ForecastInput, r: number): boolean {
  return readRepair === "background" || repairable >= writeBackQuorumSize({ n, r, w });
}

/** What the reader is told of, two attempts of one write being one. */
function shown(
  record: KvRecord | undefined,
  clock: Stamp,
): Pick<ReadResult, "outcome" | "versions"> {
  const { version, expired, siblings } = viewOf(record, clock);
  if (version === undefined) {
    const versions = siblings.map((sibling) => dotOf(sibling.version));
    return { outcome: versions.length === 0 ? "absent" : "siblings", versions };
  }
  const alive = expired ? "expired" : "found";
  return {
    outcome: version.content === undefined ? "deleted" : alive,
    versions: [dotOf(version)],
  };
}

/** Sets of replicas that come to the same stand together. */
function grouped(results: readonly ReadResult[]): readonly ReadResult[] {
  const groups = new Map<string, ReadResult>();
  for (const result of results) {
    const { outcome, repairs, versions } = result;
    const name = [outcome, repairs, ...versions.map(dotText).toSorted()].join(" ");
    const same = groups.get(name);
    groups.set(
      name,
      same === undefined ? result : { ...same, from: [...same.from, ...result.from] },
    );
  }
  return [...groups.values()];
}
