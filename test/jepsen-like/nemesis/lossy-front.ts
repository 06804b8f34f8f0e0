import type { ClusterNode } from "../../support/cluster-node.ts";
import { send } from "../../support/raw-http.ts";
import type { RawResponse } from "../../support/raw-http.ts";
import { startStubNode } from "../../support/stub-node.ts";
import type { Delivery, StubNode } from "../../support/stub-node.ts";

/** How an answer gets lost: the connection breaks, or nothing comes. */
export type Loss = "reset" | "hang";

export interface LostAnswer {
  /** Of the node that was asked. */
  readonly node: string;
  readonly answer: RawResponse;
}

interface Armed {
  readonly loss: Loss;
  readonly meanwhile: (lost: LostAnswer) => Promise<void>;
  readonly resolve: (lost: LostAnswer) => void;
}

/** A relay before each node, which hands requests on whole and can lose a node's answer to a write. */
export class LossyFront implements AsyncDisposable {
  /** `host:port` of the relays, in the order of the nodes. */
  readonly addresses: readonly [string, string, string];
  /** Writes that reached any relay, in order. */
  readonly writes: Delivery[] = [];
  readonly #relays: readonly StubNode[];
  #armed: Armed | undefined;

  private constructor(relays: readonly StubNode[], addresses: readonly [string, string, string]) {
    this.#relays = relays;
    this.addresses = addresses;
  }

  static async open(nodes: readonly ClusterNode[]): Promise<LossyFront> {
    const [one, two, three] = nodes;
    if (one === undefined || two === undefined || three === undefined) throw new Error("3 nodes");
    let front: LossyFront | undefined;
    const relay = (node: ClusterNode): Promise<StubNode> =>
      startStubNode(async (delivery) => (await front?.carry(delivery, node)) ?? "reset");
    const relays = [await relay(one), await relay(two), await relay(three)] as const;
    const [a, b, c] = relays;
    front = new LossyFront(relays, [a.address, b.address, c.address]);
    return front;
  }

  /**
   * Loses the next answer to a write, after `meanwhile`: whoever asked is still waiting then.
   * @returns what was lost, once it is.
   */
  loseNextAnswer(
    loss: Loss,
    meanwhile: (lost: LostAnswer) => Promise<void> = async () => undefined,
  ): Promise<LostAnswer> {
    return new Promise((resolve) => {
      this.#armed = { loss, meanwhile, resolve };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#relays.map((relay) => relay.close()));
  }

  private async carry(delivery: Delivery, node: ClusterNode): Promise<RawResponse | Loss> {
    const { method, target, headers, body } = delivery;
    const armed = method === "GET" ? undefined : this.#armed;
    if (method !== "GET") {
      this.writes.push(delivery);
      this.#armed = undefined;
    }
    const port = Number(new URL(node.url).port);
    const answer = await send({ port, method, target, headers, body }).catch(() => undefined);
    if (answer === undefined || armed === undefined) return answer ?? "reset";
    const lost = { node: node.id, answer };
    await armed.meanwhile(lost);
    armed.resolve(lost);
    return armed.loss;
  }
}
