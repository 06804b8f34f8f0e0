import type { Answer } from "../../core/answer.ts";
import type { NodeId } from "../../core/ids.ts";
import type { ClusterDocument } from "../../core/layout/cluster-document.ts";
import { encodeRequest, envelopeOf } from "../../core/messages/request.ts";
import type { PeerRequest } from "../../core/messages/request.ts";
import type { Clock, Instant } from "../../ports/clock.ts";
import type { Transport } from "../../ports/transport.ts";
import { answerOf } from "./remote-replica.ts";

export interface AskModules {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly document: () => ClusterDocument;
}

/** One request to a peer, for whoever waits for one answer. */
export function askPeer<T>(
  { peer, request, deadline }: { peer: NodeId; request: PeerRequest; deadline: Instant },
  decode: (payload: Uint8Array) => Answer<T>,
  { clock, document, transport }: AskModules,
): Promise<Answer<T>> {
  const envelope = envelopeOf(document(), deadline - clock.now());
  return new Promise((resolve) => {
    transport.send(peer, {
      deadline,
      encode: (writer) => encodeRequest(writer, envelope, request),
      onReply: (reply) => resolve(answerOf(reply, decode)),
    });
  });
}
