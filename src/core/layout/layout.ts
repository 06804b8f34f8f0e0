import { assert } from "../assert.ts";
import { utf8 } from "../bytes.ts";
import type { Address } from "../config.ts";
import { hash32 } from "../hash.ts";
import type { NodeId, Zone } from "../ids.ts";
import { PARTITION_COUNT } from "./partition.ts";
import { placeMembers } from "./placement.ts";

export interface Member {
  readonly id: NodeId;
  readonly zone: Zone | undefined;
  /** Where the member's peer port is reached. */
  readonly address: Address;
}

/** Identity of a layout: two layouts with one number and different hashes must never meet. */
export interface Epoch {
  readonly number: number;
  /** 32-bit hash of members and placement. */
  readonly hash: number;
}

export const FIRST_EPOCH_NUMBER = 1;

/** Which nodes hold which partition, in order of preference. Immutable. */
export class Layout {
  readonly epoch: Epoch;
  /** By id. */
  readonly members: readonly Member[];
  readonly partitionCount = PARTITION_COUNT;
  readonly #orders: readonly (readonly NodeId[])[];
  readonly #lists = new Map<number, readonly (readonly NodeId[])[]>();

  /** The same for every permutation of `members`, so every node computes the same from its peer list. */
  constructor({ number, members }: { number: number; members: readonly Member[] }) {
    this.members = members.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const idOf = (index: number): NodeId => {
      const member = this.members[index];
      assert(member !== undefined, "placement names members");
      return member.id;
    };
    this.#orders = placeMembers(this.members).map((order) => order.map(idOf));
    const identity = [
      `partitions ${PARTITION_COUNT}`,
      ...this.members.map(({ id, zone }) => `member ${id} ${zone ?? ""}`),
      ...this.#orders.map((order) => order.join(" ")),
    ];
    this.epoch = { number, hash: hash32(utf8(identity.join("\n"))) };
  }

  /** All members but this one. */
  others(node: NodeId): readonly NodeId[] {
    return this.members.map(({ id }) => id).filter((id) => id !== node);
  }

  member(id: NodeId): Member {
    const member = this.members.find((one) => one.id === id);
    assert(member !== undefined, `${id} is a member`);
    return member;
  }

  /** The N replicas of a partition, in order (Dynamo, section 4.3). */
  preferenceList(partition: number, n: number): readonly NodeId[] {
    assert(n >= 1 && n <= this.members.length, `1 <= N <= members, got N=${n}`);
    let lists = this.#lists.get(n);
    if (lists === undefined) {
      lists = this.#orders.map((order) => order.slice(0, n));
      this.#lists.set(n, lists);
    }
    const list = lists[partition];
    assert(list !== undefined, `partition ${partition} does not exist`);
    return list;
  }
}

export function sameEpoch(a: Epoch, b: Epoch): boolean {
  return a.number === b.number && a.hash === b.hash;
}
