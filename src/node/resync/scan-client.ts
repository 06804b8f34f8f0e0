import type { Answer } from "../../core/answer.ts";
import type { NodeId } from "../../core/ids.ts";
import type { ClusterDocument } from "../../core/layout/cluster-document.ts";
import { decodeScanAnswer } from "../../core/messages/answer.ts";
import { encodeRequest, envelopeOf } from "../../core/messages/request.ts";
import type { ScanPage, ScanRequest } from "../../core/messages/scan.ts";
import type { Clock, Instant } from "../../ports/clock.ts";
import type { Transport } from "../../ports/transport.ts";
import { answerOf } from "../peers/remote-replica.ts";

interface ScanClientModules {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly document: () => ClusterDocument;
}

/** Asks peers for pages of their partitions. */
export class ScanClient {
  readonly #modules: ScanClientModules;

  constructor(modules: ScanClientModules) {
    this.#modules = modules;
  }

  scan(peer: NodeId, scan: ScanRequest, deadline: Instant): Promise<Answer<ScanPage>> {
    const { clock, document, transport } = this.#modules;
    const envelope = envelopeOf(document(), deadline - clock.now());
    return new Promise((resolve) => {
      transport.send(peer, {
        deadline,
        encode: (writer) => encodeRequest(writer, envelope, { kind: "scan", scan }),
        onReply: (reply) => resolve(answerOf(reply, decodeScanAnswer)),
      });
    });
  }
}
