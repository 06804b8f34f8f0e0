import { assert } from "../assert.ts";
import { utf8 } from "../bytes.ts";
import { hash32 } from "../hash.ts";
import type { NodeId, Zone } from "../ids.ts";
import { PARTITION_COUNT } from "./partition.ts";

interface Placeable {
  readonly id: NodeId;
  readonly zone: Zone | undefined;
}

/**
 * Orders every member for every partition; a bucket takes the first n of an order. Pure and
 * deterministic in the set of members. Rendezvous hashing (Thaler & Ravishankar, 1998) with bounded
 * loads: at each position the member with the highest score for the partition, among the zones used
 * least so far in its order, that is not yet over its even share. Scores keep movement small when
 * members change; the share keeps the load even at every n; zones come first.
 *
 * @returns for each partition, indices into `members`, a permutation.
 */
export function placeMembers(members: readonly Placeable[]): readonly (readonly number[])[] {
  assert(members.length > 0, "a layout has members");
  const orders = Array.from({ length: PARTITION_COUNT }, (): number[] => []);
  const scores = orders.map((_, partition) =>
    members.map(({ id }) => hash32(utf8(`${partition}/${id}`))),
  );
  const loads = members.map(() => 0);
  for (let position = 0; position < members.length; position++) {
    const share = Math.ceil((PARTITION_COUNT * (position + 1)) / members.length);
    for (const [partition, order] of orders.entries()) {
      const chosen = choose({ members, order, scores: scores[partition] ?? [], loads, share });
      order.push(chosen);
      loads[chosen] = (loads[chosen] ?? 0) + 1;
    }
  }
  return orders;
}

function choose(at: {
  members: readonly Placeable[];
  order: readonly number[];
  scores: readonly number[];
  loads: readonly number[];
  share: number;
}): number {
  const { members, order, scores, loads, share } = at;
  const uses = new Map<Zone | undefined, number>();
  for (const index of order) {
    const zone = members[index]?.zone;
    uses.set(zone, (uses.get(zone) ?? 0) + 1);
  }
  const candidates = members.map((_, index) => index).filter((index) => !order.includes(index));
  /** Compared in this order, smaller is better: zone uses, then over the share, then score. */
  const rank = (index: number): readonly number[] => {
    const load = loads[index] ?? 0;
    return [
      uses.get(members[index]?.zone) ?? 0,
      load < share ? 0 : 1 + load - share,
      -(scores[index] ?? 0),
      index,
    ];
  };
  const ranked = candidates.map((index) => ({ index, rank: rank(index) }));
  ranked.sort((a, b) => compareRanks(a.rank, b.rank));
  const best = ranked[0];
  assert(best !== undefined, "an order has at most one place for each member");
  return best.index;
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (const [i, x] of a.entries()) {
    const difference = x - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
