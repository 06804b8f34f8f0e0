import { KvError } from "../core/errors.ts";
import { NO_STAMP } from "../core/hlc.ts";
import type { Stamp } from "../core/hlc.ts";
import type { Key } from "../core/ids.ts";
import type { Layout } from "../core/layout/layout.ts";
import type { KeyRange } from "../core/listing/key-range.ts";
import { mergePages } from "../core/listing/merge-pages.ts";
import type { MergedPages } from "../core/listing/merge-pages.ts";
import { replicaGroups } from "../core/listing/replica-groups.ts";
import type { ReplicaGroup } from "../core/listing/replica-groups.ts";
import { LIST_ENTRIES_MAX } from "../core/messages/list.ts";
import type { ListAnswer } from "../core/messages/list.ts";
import { ListQuorum } from "../core/quorum/list-quorum.ts";
import { recordKey } from "../core/record-key.ts";
import type { MergeModel } from "../core/version/merge-model.ts";
import type { KvRecord } from "../core/version/record.ts";
import { isLive } from "../core/version/view.ts";
import type { Stamps } from "../ports/stamps.ts";
import { Deadline } from "./deadline.ts";
import { Hedging } from "./hedging.ts";
import { askingOrder, Round } from "./round.ts";
import type { RoundModules } from "./round.ts";

/** A replica reads a little of each of its partitions for a page, which takes longer than one key. */
const SPARE_DELAY_MS = 250;
const SPARE_DELAY_MIN_MS = 25;
/** Of keys, at least one. */
const PAGE_BYTES_MAX = 256 * 1024;
/** Times that the replicas are asked for one page: dead keys fill none, so it may end short of its limit. */
const ROUNDS_MAX = 16;
/** Few more questions than there are entries would be a waste, and so would be tiny answers. */
const ENTRIES_MIN = 16;

export interface ListPlan {
  readonly range: KeyRange;
  readonly limit: number;
  readonly layout: Layout;
  readonly n: number;
  readonly r: number;
  readonly model: MergeModel;
  readonly deadline: Deadline;
}

export interface ListModules extends RoundModules {
  readonly stamps: Stamps;
}

export interface ListedPage {
  /** In byte order. */
  readonly keys: readonly Key[];
  /** The last key that was dealt with, listed or not; undefined: the range ends here. */
  readonly last: Key | undefined;
  /** Replicas that vouch for each key, at least. */
  readonly acked: number;
}

/** What the replicas hold of a range, as far as R of each partition tell. */
interface Told extends MergedPages<KvRecord> {
  readonly clock: Stamp;
  readonly acked: number;
}

/** Listings have a delay and a budget of their own, for all of a node's. */
export function listHedging(): Hedging {
  return new Hedging({ spareDelayMs: SPARE_DELAY_MS, spareDelayMinMs: SPARE_DELAY_MIN_MS });
}

/**
 * One page of the live keys of a range. R replicas of every partition tell what they hold from the
 * beginning of the range on; their records are merged like those of a read, as far as all of them
 * reach. So a key that W replicas acknowledged is missed by no page (R + W > N), nor is its delete.
 * Nothing is written back: a write in doubt may be in one listing and not in the next.
 *
 * @throws KvError `read-unavailable`, `read-timeout`: never a page that lacks a partition.
 */
export async function list(plan: ListPlan, modules: ListModules): Promise<ListedPage> {
  const { deadline, layout, limit, n } = plan;
  const { clock, stamps } = modules;
  const groups = replicaGroups(layout, n);
  const halfway = (clock.now() + deadline.at) / 2;
  const page = new Page(plan);
  for (let rounds = 1; ; rounds++) {
    const range = { ...plan.range, after: page.last ?? plan.range.after };
    const told = await askAll({ ...plan, range, limit: limit - page.size }, groups, modules);
    page.add(told, stamps.reading());
    // A short page with a cursor is no failure; one that comes too late is.
    if (page.isOver || rounds === ROUNDS_MAX || clock.now() > halfway) return page;
  }
}

/** The live keys of one page, as they come. */
class Page implements ListedPage {
  readonly keys: Key[] = [];
  last: Key | undefined;
  acked = Infinity;
  isOver = false;
  #bytes = 0;
  readonly #plan: ListPlan;

  constructor(plan: ListPlan) {
    this.#plan = plan;
  }

  get size(): number {
    return this.keys.length;
  }

  add({ entries, through, clock, acked }: Told, reading: Stamp): void {
    const { limit } = this.#plan;
    const now = reading > clock ? reading : clock;
    this.acked = Math.min(this.acked, acked);
    for (const [at, { key, values }] of entries.entries()) {
      this.last = key;
      if (!this.#isLive(key, values, now)) continue;
      this.keys.push(key);
      this.#bytes += key.byteLength;
      if (this.size < limit && this.#bytes < PAGE_BYTES_MAX) continue;
      this.isOver = true;
      if (through === undefined && at === entries.length - 1) this.last = undefined;
      return;
    }
    this.last = through;
    this.isOver = through === undefined;
  }

  #isLive(key: Key, records: readonly KvRecord[], now: Stamp): boolean {
    const { model, range } = this.#plan;
    const address = recordKey(range.bucket, key);
    const merged = records.reduce<KvRecord | undefined>(
      (all, record) => model.merge(address, all, record),
      undefined,
    );
    return merged !== undefined && isLive(merged, now);
  }
}

/** Asks R replicas of every partition at once. */
async function askAll(
  plan: ListPlan,
  groups: readonly ReplicaGroup[],
  modules: ListModules,
): Promise<Told> {
  const asked = await Promise.allSettled(groups.map((group) => askGroup(plan, group, modules)));
  const quorums = asked.map((end) => {
    if (end.status === "rejected") throw end.reason;
    return end.value;
  });
  return {
    ...mergePages(quorums.flatMap(({ pages }) => pages)),
    clock: quorums.reduce<Stamp>((max, { clock }) => (clock > max ? clock : max), NO_STAMP),
    acked: Math.min(...quorums.map(({ acked }) => acked)),
  };
}

async function askGroup(
  plan: ListPlan,
  { partitions, replicas }: ReplicaGroup,
  modules: ListModules,
): Promise<ListQuorum> {
  const { r, range } = plan;
  const order = askingOrder(modules.replicas, replicas);
  const quorum = new ListQuorum({ replicas: order, needed: r });
  const entriesMax = entriesOf(plan, partitions.length);
  // Its own, because rounds run beside each other here and each is told when it passes.
  const deadline = new Deadline(modules.clock, plan.deadline.at - modules.clock.now());
  try {
    const round = new Round<ListAnswer>(
      {
        name: "list",
        replicas: order,
        first: r,
        quorum,
        deadline,
        ask: (replica, onAnswer) =>
          replica.list({ range, partitions, entriesMax }, deadline.at, onAnswer),
      },
      SPARE_DELAY_MS,
      modules,
    );
    const end = await round.run();
    if (end === "met") return quorum;
    throw new KvError(
      end === "deadline" ? "read-timeout" : "read-unavailable",
      `of ${partitions.length} partitions ${quorum.acked} of the ${r} replicas that must answer did${round.failures}`,
      { needed: r, acked: quorum.acked },
    );
  } finally {
    deadline.cancel();
  }
}

/** The group's share of the page, and as much again, because the shares are not even. */
function entriesOf({ layout, limit }: ListPlan, partitions: number): number {
  const share = Math.ceil((limit * partitions) / layout.partitionCount);
  const isAll = partitions === layout.partitionCount;
  return Math.min(LIST_ENTRIES_MAX, Math.max(ENTRIES_MIN, isAll ? share : 2 * share));
}
