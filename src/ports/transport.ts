import type { Doubt } from "../core/answer.ts";
import type { ByteWriter } from "../core/codec.ts";
import type { NodeId } from "../core/ids.ts";
import type { Instant } from "./clock.ts";

/** How a request to a peer ended. Only `not-sent` proves that the peer never saw it. */
export type Reply =
  | { readonly kind: "payload"; readonly payload: Uint8Array }
  | { readonly kind: "not-sent" }
  | { readonly kind: "unknown"; readonly reason: Doubt };

export interface OutgoingRequest {
  /** Nobody waits for the answer after this. */
  readonly deadline: Instant;
  /** Appends the payload to what leaves next; called within `send`, at most once. */
  encode(writer: ByteWriter): void;
  /** Called exactly once, perhaps within `send`. The payload belongs to the caller. */
  onReply(reply: Reply): void;
}

export type PeerState =
  | { readonly kind: "connected" }
  | { readonly kind: "unreachable"; readonly reason: string };

/**
 * Requests to peers and their answers, as opaque payloads. Everything that is sent within one tick
 * to one peer leaves in one write. Queues are bounded; a full one, or a peer without a connection,
 * fails at once with `not-sent`. A peer that leaves requests unanswered and is silent loses its
 * connection; that it has recovered is observed by a new one, never assumed.
 */
export interface Transport {
  send(to: NodeId, request: OutgoingRequest): void;
  peerState(peer: NodeId): PeerState;
  /** Requests without an answer end as unknown. */
  close(): Promise<void>;
}

/** Answers one request of a peer, within the call or later, exactly once. */
export type RequestHandler = (
  payload: Uint8Array,
  answer: (encode: (writer: ByteWriter) => void) => void,
) => void;

/** What a transport tells the node that it belongs to. */
export interface TransportEvents {
  readonly handler: RequestHandler;
  /** A connection of this node's to the peer stands now; nothing was sent on it yet. */
  readonly onConnected?: (peer: NodeId) => void;
}
