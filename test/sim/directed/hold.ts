import type { NodeId } from "../../../src/core/ids.ts";
import { decodeRequest } from "../../../src/core/messages/request.ts";
import type { PeerRequest } from "../../../src/core/messages/request.ts";
import type { Arrival, Message } from "../../../src/testing/in-process-network.ts";

/** Which messages: what is left out is any. */
export interface Which {
  readonly kind: PeerRequest["kind"] | readonly PeerRequest["kind"][];
  readonly leg?: "request" | "answer";
  /** Who speaks: of an answer the node that was asked. */
  readonly from?: NodeId | readonly NodeId[];
  readonly to?: NodeId | readonly NodeId[];
}

/** Messages that a schedule holds back until it lets them go or drops them. */
export class Hold {
  readonly #which: Which;
  readonly #letGo: (() => void)[] = [];
  #state: "holding" | "letting go" | "dropping" = "holding";

  constructor(which: Which) {
    this.#which = which;
  }

  /** How many are held back. */
  get count(): number {
    return this.#letGo.length;
  }

  /** undefined: the message is none of these. */
  fateOf(message: Message): readonly Arrival[] | undefined {
    if (this.#state === "letting go" || !this.#matches(message)) return undefined;
    if (this.#state === "dropping") return [];
    return [
      new Promise((resolve) => {
        this.#letGo.push(resolve);
      }),
    ];
  }

  /** What is held back arrives now; what is said from now on travels as ever. */
  release(): void {
    this.#state = "letting go";
    for (const letGo of this.#letGo.splice(0)) letGo();
  }

  /** What is held back never arrives, nor does anything else like it until {@link release}. */
  drop(): void {
    this.#state = "dropping";
    this.#letGo.length = 0;
  }

  #matches({ leg, from, to, request }: Message): boolean {
    if (leg !== "request" && leg !== "answer") return false;
    const which = this.#which;
    if (which.leg !== undefined && which.leg !== leg) return false;
    if (!isAmong(from, which.from) || !isAmong(to, which.to)) return false;
    return isAmong(decodeRequest(request).request.kind, which.kind);
  }
}

function isAmong<T extends string>(one: T, which: T | readonly T[] | undefined): boolean {
  if (which === undefined || typeof which === "string") return which === undefined || which === one;
  return which.includes(one);
}
